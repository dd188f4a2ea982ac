"""A request of one row whose lists have to be made first, as a dict."""

from contests.measure import OURS, Contest, Scale, Target

from polyrank.encoder import Encoder
from polyrank.features import BagFeature, CategoricalFeature, SequenceFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

SCHEMA = Schema(
    name="request",
    features=(
        CategoricalFeature(name="user_id", dtype="int64", num_buckets=100),
        BagFeature(name="tags", dtype="text", num_buckets=100, max_length=5, separator=","),
        SequenceFeature(name="history", dtype="int64", num_buckets=100, max_length=20),
        CategoricalFeature(name="video_id", identity=True, num_buckets=100),
    ),
    tasks=(BinaryTask(name="click", label="is_click"),),
)
ROW = {"user_id": 7, "tags": "39,68,a", "history": list(range(30)), "video_id": 5}


def one_dict(_: Scale) -> Contest:
    """A bag as text, a sequence longer than its slots and an id without a hash."""
    encoder, limit = Encoder(SCHEMA), "100 µs"
    name = "1 dict with a separated bag, a sequence that is cut and an identity"
    return Contest(
        keys=1,
        unit="rows",
        contenders={OURS: lambda: encoder.encode([ROW])},
        targets=[Target(workload=name, text="< 100 µs", against=limit, least=1)],
        limits_s={limit: 100e-6},
    )
