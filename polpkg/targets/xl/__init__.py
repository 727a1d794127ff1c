"""Guest configurations of `xl`: their grammar, what they ask for, and whether a policy lets them have it.

In comes the text of an xl.cfg(5) file and a policy; out come values and findings.  Nothing of a configuration is
executed, and nothing here touches a host.
"""
