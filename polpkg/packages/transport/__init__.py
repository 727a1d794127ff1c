"""How the files of an index are fetched over http(s), kept and fetched again.

`HttpTree` (`tree`) is all that an index sees.  Below it, each in a module of its own and without the others: where
requests may go (`urls`), who asks (`credentials`), what is worth trying again (`retry`), what is kept between commands
(`cache`, `partial`), and the one module that knows httpx (`client`).
"""
