"""The command line: one thin file per verb; only `console` prints.

`app` finds the verb, `binding` reads its arguments with typer, `options` has those that verbs share, `console` and
`render` write, and `boundary` turns every failure into a message and an exit code.
"""
