"""Indexes: what lists packages.  Static trees, directories and http, behind one protocol.

What the use cases call, and nothing more:

Opening (`opening`, `catalog`)
    `open_index(name, location, *, trust="", override=False, ca_file="", network=None) -> Index` for a URL, a static
    tree, a bundle (a directory or one `.tar`), a directory of archives or of package directories.  `network` is one
    `polpkg.packages.transport.settings.NetworkSettings(offline=..., cache=..., progress=...)` for all indexes of a
    command; `progress(label, done, total)` is told of the bytes of each archive that is fetched.  With `offline` an
    http index answers from its cache, and raises `NetworkError` (`offline`) that names what is missing.
    `Catalog.prefetch(names)` says that the releases of `names` will be asked for soon: it returns at once, an http
    index fetches them in parallel, and `Catalog.releases` then waits only for what is still under way.

Building (`building`): a static tree from archives (DESIGN.md 4)
    `build_index(directory, out) -> TreeChange`: `out` lists exactly the archives in `directory`.
    `add_archive(out, archive, *, published="") -> TreeChange`: one archive, as bytes, more.
    `remove_release(out, name, version) -> TreeChange`: one release less.
    A `TreeChange` has `added` and `removed`, tuples of `Release`.  Raises `UsageError` (`release-exists`: other bytes
    under a version that is there; `no-such-release`; `duplicate-release`; `not-an-index`), and what reading an archive
    raises.

Bundles (`bundle`): a closed set for a site without network; imported by `--index NAME=OUT`
    `export_bundle(lock, fetch, out)`: a static tree with exactly the locked releases, as a directory, or as one file
    when `out` ends in `.tar`.  `vendor(lock, fetch, folder)`: the archives of the lock as `NAME-VERSION.polpkg`.
    `fetch(locked_package) -> bytes` hands out the archive of the digest that the lock demands.  A directory that holds
    anything else is refused (`UsageError`, `not-empty`).
"""
