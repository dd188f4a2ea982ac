"""What ranks tell one another in a step, so that each takes the step of the whole batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .optimizers import RowGradient
from .processes import Processes

_ROW_BYTES = torch.int64.itemsize


def with_total(parts: Tensor, processes: Processes) -> Tensor:
    """Return losses (T,) whose values are the sums over all ranks, and whose gradients are those of the parts (T,).

    The gradients that the ranks find then add up to those of the whole batch.
    """
    return parts + (processes.add(parts.detach().clone()) - parts.detach())


def add_gradients(gradients: Sequence[Tensor], processes: Processes) -> None:
    """Add up dense gradients over all ranks, in place, in one exchange."""
    if processes.size > 1 and gradients:
        flat = processes.add(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        torch._foreach_copy_(list(gradients), [part.view_as(to) for part, to in zip(parts, gradients, strict=True)])


def add_row_gradients(gradients: Sequence[RowGradient | None], processes: Processes) -> list[RowGradient | None]:
    """Add up gradients of embedding tables over all ranks: what travels are the rows that they touched.

    All ranks have gradients of the same tables.
    """
    known = [gradient for gradient in gradients if gradient is not None]
    if processes.size == 1 or not known:
        return list(gradients)
    packed = torch.cat([part for gradient in known for part in (_bytes(gradient.rows), _bytes(gradient.values))])
    counts = [found.tolist() for found in processes.gather(_counts(known))]
    widths = [_ROW_BYTES + gradient.values.element_size() * gradient.values.shape[1] for gradient in known]
    sizes = [sum(count * width for count, width in zip(found, widths, strict=True)) for found in counts]
    padded = torch.zeros(max(sizes), dtype=torch.uint8, device=packed.device)
    padded[: len(packed)] = packed
    by_rank = [_unpacked(part, found, known) for part, found in zip(processes.gather(padded), counts, strict=True)]
    summed = iter([_coalesced(parts) for parts in zip(*by_rank, strict=True)])
    return [None if gradient is None else next(summed) for gradient in gradients]


def _bytes(tensor: Tensor) -> Tensor:
    flat = tensor.contiguous().flatten()
    # None of numpy's arrays without elements has a stride that PyTorch takes for that of bytes.
    return flat.view(torch.uint8) if flat.numel() > 0 else flat.new_empty(0, dtype=torch.uint8)


def _counts(gradients: Sequence[RowGradient]) -> Tensor:
    return torch.tensor([len(gradient.rows) for gradient in gradients], device=gradients[0].rows.device)


def _unpacked(packed: Tensor, counts: Sequence[int], like: Sequence[RowGradient]) -> list[tuple[Tensor, Tensor]]:
    """Take apart what a rank sent: rows (U,) and values (U, D) of each table."""
    found, start = [], 0
    for count, gradient in zip(counts, like, strict=True):
        dim, size = gradient.values.shape[1], gradient.values.element_size()
        middle, stop = start + count * _ROW_BYTES, start + count * (_ROW_BYTES + dim * size)
        rows = packed[start:middle].clone().view(torch.int64)  # a copy is aligned
        values = packed[middle:stop].clone().view(gradient.values.dtype).view(count, dim)
        found.append((rows, values))
        start = stop
    return found


def _coalesced(parts: Sequence[tuple[Tensor, Tensor]]) -> RowGradient:
    return RowGradient.coalesced(torch.cat([rows for rows, _ in parts]), torch.cat([values for _, values in parts]))
