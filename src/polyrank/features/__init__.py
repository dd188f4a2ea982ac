"""Kinds of features: what a column becomes on its way into a model."""

from .common import Side as Side
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
from .hashed import HashedFeature as HashedFeature

Feature = CategoricalFeature | BagFeature | NumericFeature | BucketizedFeature | VectorFeature
