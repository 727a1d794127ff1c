"""PubGrub: finds one version for every package needed, or a proof that there is none.

In: a `DependencyProvider` and what is asked for, as incompatibilities.  Out: package to version number, or the
incompatibility without terms that proves the opposite.  The solver does no I/O and knows nothing of version texts,
indexes or policy.

The words, after Natalie Weizenbaum's description of the algorithm ("PubGrub: Next-Generation Version Solving", 2018):

- *version set*: an integer; bit n is set when version number n is in it.  A negative integer is the complement of a
set:
  it also contains "the package is not chosen at all".
- *term*: a statement about one package: what is chosen for it lies in a version set.
- *incompatibility*: terms that must not all hold.  "a 1 requires b 2" is: not both a in {1} and b not in {2}.
- *assignment*: one step of the search: a decision, or what follows from an incompatibility and the steps before.
- *partial solution*: the assignments so far.
- *cause*: why an incompatibility is true: a fact from outside, or two incompatibilities that it follows from.
"""
