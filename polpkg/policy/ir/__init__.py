"""What policy source says, as values: `statements` before linking, `linked` after it.

Nothing here reads, writes or decides; the front ends make statements, the linker turns modules of them into one
`LinkedPolicy`, and backends and analyses read that.
"""
