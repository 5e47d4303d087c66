"""Vectors for loops that numba compiles: sums, products and comparisons of LANES numbers at a time.

numba does not know that two arrays lie apart in memory, and would multiply one float at a time.
It does not know bf16 either: in an array of 16-bit words each is one, the upper half of a float32.
What it compiled it keeps until the file of the loop changes: after a change here that one must be saved again, too.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor

LANES = 16  # numbers of one operation
Floats = NDArray[np.float32]
Numbers = Floats | NDArray[np.uint16]  # the latter bf16
WORD, HALF_BITS = ir.IntType(32), 16


def as_array(tensor: Tensor) -> Floats:
    """View a float32 tensor as an array."""
    floats: Floats = tensor.detach().numpy()
    return floats


def as_numbers(tensor: Tensor) -> Numbers:
    """View a float32 or bf16 tensor as an array."""
    return tensor.detach().view(torch.uint16).numpy() if tensor.dtype == torch.bfloat16 else as_array(tensor)


def vector_at(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return the pointer to the LANES numbers that begin with element ``index`` of the flat ``array``."""
    data = context.make_array(array_type)(context, builder, array).data
    place = builder.gep(data, [index])
    return builder.bitcast(place, ir.VectorType(place.type.pointee, LANES).as_pointer())


def load(builder: Any, place: Any) -> Any:
    """Return the floats at a pointer to LANES numbers."""
    numbers = builder.load(place, align=2)
    if numbers.type.element == ir.FloatType():
        return numbers
    words = ir.VectorType(WORD, LANES)
    bits = builder.shl(builder.zext(numbers, words), each(words, HALF_BITS))
    return builder.bitcast(bits, ir.VectorType(ir.FloatType(), LANES))


def store(builder: Any, floats: Any, place: Any) -> None:
    """Write floats to a pointer to LANES numbers; of two bf16 that are as near, the even one."""
    numbers = place.type.pointee
    if numbers.element != ir.FloatType():
        words = ir.VectorType(WORD, LANES)
        bits = builder.bitcast(floats, words)
        is_odd = builder.and_(builder.lshr(bits, each(words, HALF_BITS)), each(words, 1))
        bits = builder.add(builder.add(bits, each(words, 2 ** (HALF_BITS - 1) - 1)), is_odd)
        floats = builder.trunc(builder.lshr(bits, each(words, HALF_BITS)), numbers)
    builder.store(floats, place, align=2)


def each(vector: Any, value: float) -> Any:
    """Return the constant of that vector type whose elements are all ``value``."""
    return ir.Constant(vector, [value] * LANES)


def repeated(builder: Any, value: Any) -> Any:
    """Return a vector whose elements are all ``value``."""
    nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def product_sum(builder: Any, addend: Any, factor: Any, vector: Any) -> Any:
    """Return ``addend + factor * vector``, rounded once where the CPU can."""
    flags = ("contract",)
    return builder.fadd(addend, builder.fmul(repeated(builder, factor), vector, flags=flags), flags=flags)


@intrinsic
def _add_products(
    _typing: Any, sums_type: Any, _i: Any, table_type: Any, _j: Any, _step: Any, factors_type: Any
) -> Any:
    """Add ``factors[c] * table[j + c * step:]`` to ``sums[i:]`` for each c, LANES floats of the flat arrays."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        sums, i, table, j, step, factors = arguments
        place = vector_at(context, builder, sums_type, sums, i)
        total = load(builder, place)
        for c in range(factors_type.count):
            row = load(builder, vector_at(context, builder, table_type, table, j))
            total = product_sum(builder, total, builder.extract_value(factors, c), row)
            j = builder.add(j, step)
        store(builder, total, place)
        return context.get_dummy_value()

    return types.void(sums_type, types.intp, table_type, types.intp, types.intp, factors_type), generate


@intrinsic
def _add_products_to_rows(
    _typing: Any, table_type: Any, _j: Any, _step: Any, row_type: Any, _i: Any, factors_type: Any
) -> Any:
    """Add ``factors[c] * row[i:]`` to ``table[j + c * step:]`` for each c, LANES floats of the flat arrays."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        table, j, step, row, i, factors = arguments
        vector = load(builder, vector_at(context, builder, row_type, row, i))
        for c in range(factors_type.count):
            place = vector_at(context, builder, table_type, table, j)
            total = product_sum(builder, load(builder, place), builder.extract_value(factors, c), vector)
            store(builder, total, place)
            j = builder.add(j, step)
        return context.get_dummy_value()

    return types.void(table_type, types.intp, types.intp, row_type, types.intp, factors_type), generate


@intrinsic
def _add_and_subtract(
    _typing: Any, a_type: Any, _i: Any, b_type: Any, _j: Any, sums_type: Any, _k: Any, differences_type: Any, _l: Any
) -> Any:
    """Write ``a[i:] + b[j:]`` to ``sums[k:]``, ``a[i:] - b[j:]`` to ``differences[l:]``, LANES of the flat arrays."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        a, i, b, j, sums, k, differences, m = arguments
        left = load(builder, vector_at(context, builder, a_type, a, i))
        right = load(builder, vector_at(context, builder, b_type, b, j))
        store(builder, builder.fadd(left, right), vector_at(context, builder, sums_type, sums, k))
        store(builder, builder.fsub(left, right), vector_at(context, builder, differences_type, differences, m))
        return context.get_dummy_value()

    index = types.intp
    return types.void(a_type, index, b_type, index, sums_type, index, differences_type, index), generate


@intrinsic
def _copy_where_positive(
    _typing: Any, source_type: Any, _i: Any, sign_type: Any, _j: Any, target_type: Any, _k: Any
) -> Any:
    """Write ``source[i:]`` to ``target[k:]``, or 0 where ``sign[j:]`` is not positive, LANES of the flat arrays."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, i, sign, j, target, k = arguments
        zeros = each(ir.VectorType(ir.FloatType(), LANES), 0.0)
        floats = load(builder, vector_at(context, builder, source_type, source, i))
        signs = load(builder, vector_at(context, builder, sign_type, sign, j))
        kept = builder.select(builder.fcmp_ordered(">", signs, zeros), floats, zeros)
        store(builder, kept, vector_at(context, builder, target_type, target, k))
        return context.get_dummy_value()

    index = types.intp
    return types.void(source_type, index, sign_type, index, target_type, index), generate


@intrinsic
def _where_different(_typing: Any, a_type: Any, _i: Any, b_type: Any, _j: Any) -> Any:
    """Return a number whose bit c is set where ``a[i + c]`` is not ``b[j + c]``, LANES words of the flat arrays."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        a, i, b, j = arguments
        left = builder.load(vector_at(context, builder, a_type, a, i), align=4)
        right = builder.load(vector_at(context, builder, b_type, b, j), align=4)
        bits = builder.bitcast(builder.icmp_unsigned("!=", left, right), ir.IntType(LANES))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(a_type, types.intp, b_type, types.intp), generate


@intrinsic
def _lowest_bit(_typing: Any, _number: Any) -> Any:
    """Return which bit of a number other than 0 is the lowest that is set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


# The context of the compiler is no argument of theirs.
add_products = cast(Callable[..., None], _add_products)
add_products_to_rows = cast(Callable[..., None], _add_products_to_rows)
add_and_subtract = cast(Callable[..., None], _add_and_subtract)
copy_where_positive = cast(Callable[..., None], _copy_where_positive)
where_different = cast(Callable[..., int], _where_different)
lowest_bit = cast(Callable[[int], int], _lowest_bit)
