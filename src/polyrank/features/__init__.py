"""Kinds of features: what a column becomes on its way into a model."""

from .cross import CrossFeature as CrossFeature
from .dense import MAX_DIM as MAX_DIM
from .dense import BucketizedFeature as BucketizedFeature
from .dense import DenseFeature as DenseFeature
from .dense import NumericFeature as NumericFeature
from .dense import Transform as Transform
from .dense import VectorFeature as VectorFeature
from .hashed import DEFAULT_EMBEDDING_DIM as DEFAULT_EMBEDDING_DIM
from .hashed import MAX_BUCKETS as MAX_BUCKETS
from .hashed import MAX_EMBEDDING_DIM as MAX_EMBEDDING_DIM
from .hashed import MAX_LENGTH as MAX_LENGTH
from .hashed import BagFeature as BagFeature
from .hashed import CategoricalFeature as CategoricalFeature
from .hashed import Dtype as Dtype
from .hashed import Pooling as Pooling
from .keys import Side as Side
from .neighbors import MAX_NEIGHBORS as MAX_NEIGHBORS
from .neighbors import NeighborsFeature as NeighborsFeature
from .sequence import SequenceFeature as SequenceFeature
from .text import TextFeature as TextFeature

SharingFeature = CategoricalFeature | BagFeature | SequenceFeature
"""Features that may use the embedding table of another."""

PooledFeature = BagFeature | SequenceFeature | TextFeature
"""Features of many values, whose vectors are pooled into one."""

HashedFeature = SharingFeature | CrossFeature | TextFeature
"""Features that are slots of `ids`."""

Feature = HashedFeature | NumericFeature | BucketizedFeature | VectorFeature | NeighborsFeature
