"""How does the journal keep an Arrow table? As compressed bytes with a digest at their end."""

from __future__ import annotations

import pyarrow as pa

from sync.store import integrity


def packed(table: pa.Table) -> bytes:
    """An Arrow table as compressed bytes. Texts that repeat are numbered: a batch is mostly its ids.

    A digest ends them.
    """
    for position, column in enumerate(table.columns):
        if column.type == pa.string() and table.num_rows > 1000:
            numbered = column.combine_chunks().dictionary_encode()
            if len(numbered.dictionary) < table.num_rows // 4:
                table = table.set_column(position, table.column_names[position], numbered)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return integrity.signed(bytes(sink.getvalue()))


def unpacked(content: bytes) -> pa.Table:
    """The table of ``packed`` bytes.

    JournalDamaged where they are not what was packed: Arrow may end the process on such bytes.
    """
    integrity.require_signed(content)
    with pa.ipc.open_stream(content) as reader:
        table = reader.read_all()
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(plain))
