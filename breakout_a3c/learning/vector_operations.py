"""Sums of products for loops that numba compiles, by the CPU's vector instructions.

numba does not know that two arrays lie apart in memory, and would multiply one float at a time.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16  # floats of one operation


def vector_at(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return the pointer to the LANES floats that begin with element ``index`` of the flat ``array``."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.VectorType(ir.FloatType(), LANES).as_pointer())


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
        total = builder.load(place, align=4)
        for c in range(factors_type.count):
            row = builder.load(vector_at(context, builder, table_type, table, j), align=4)
            total = product_sum(builder, total, builder.extract_value(factors, c), row)
            j = builder.add(j, step)
        builder.store(total, place, align=4)
        return context.get_dummy_value()

    return types.void(sums_type, types.intp, table_type, types.intp, types.intp, factors_type), generate


@intrinsic
def _add_products_to_rows(
    _typing: Any, table_type: Any, _j: Any, _step: Any, row_type: Any, _i: Any, factors_type: Any
) -> Any:
    """Add ``factors[c] * row[i:]`` to ``table[j + c * step:]`` for each c, LANES floats of the flat arrays."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        table, j, step, row, i, factors = arguments
        vector = builder.load(vector_at(context, builder, row_type, row, i), align=4)
        for c in range(factors_type.count):
            place = vector_at(context, builder, table_type, table, j)
            total = product_sum(builder, builder.load(place, align=4), builder.extract_value(factors, c), vector)
            builder.store(total, place, align=4)
            j = builder.add(j, step)
        return context.get_dummy_value()

    return types.void(table_type, types.intp, types.intp, row_type, types.intp, factors_type), generate


# The context of the compiler is no argument of theirs.
add_products = cast(Callable[..., None], _add_products)
add_products_to_rows = cast(Callable[..., None], _add_products_to_rows)
