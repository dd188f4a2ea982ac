"""Pictures, each with what it shows in words and as a table.

Data go into them under field names that are fixed; names out of data are values alone, so that none is ever read as an
expression or a field. Colours are variables of the page's style, so that they follow its theme and its print.
"""
