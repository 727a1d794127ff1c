# Macros that fragments of every package may use, whatever they require.
#
# Names and parameters are those of refpolicy's support files (policy/support/*.spt), which Xen's and OpenXT's
# trees also use, so that modules written for them expand here to the same statements.

# policy_module(NAME, VERSION)
#   A header; the manifest says both.
define(`policy_module', `')

# gen_require(DECLARATIONS)
#   What a fragment uses of others; the linker checks that by itself.
define(`gen_require', `')

# interface(NAME, BODY), template(NAME, BODY)
#   Defines macro NAME.  A template also declares symbols; the difference is for the reader.
define(`interface', `define(`$1', `$2')')
define(`template', `define(`$1', `$2')')

# optional_policy(BODY), optional_policy(CONDITION, BODY, OTHERWISE)
#   BODY if macro CONDITION is defined, else OTHERWISE; with BODY alone, BODY.
define(`optional_policy', `ifelse(`$#', `1', `$1', `ifdef(`$1', `$2', `$3')')')

# dflt_or_overr(NAME, DEFAULT)
#   The value of macro NAME if it is defined, else DEFAULT.
define(`dflt_or_overr', `ifdef(`$1', $1, $2)')

# gen_bool(NAME, DEFAULT), gen_tunable(NAME, DEFAULT)
#   A boolean; the macro NAME_conf overrides its default.
define(`gen_bool', `bool $1 dflt_or_overr(`$1'_conf, $2);')
define(`gen_tunable', `bool $1 dflt_or_overr(`$1'_conf, $2);')

# tunable_policy(EXPRESSION, BODY, OTHERWISE)
#   Rules that depend on booleans.
define(`tunable_policy', `if (`$1') {
$2
} ifelse(`$3', `', `', `else {
$3
}')')

# gen_user(NAME, PREFIX, ROLES, LEVEL, RANGE)
#   A user; PREFIX is for home directories and ignored.  LEVEL and RANGE count with MLS only.
define(`gen_user', `user $1 roles { $3 }`'ifdef(`enable_mls', ` level $4 range $5')`';')

# gen_context(CONTEXT, LEVEL)
#   A context; LEVEL counts with MLS only.
define(`gen_context', `$1`'ifdef(`enable_mls', `:$2')`'')

# ifndef(NAME, THEN, ELSE), shiftn(COUNT, LIST...)
define(`ifndef', `ifdef(`$1', `$3', `$2')')
define(`shiftn', `ifelse(`$1', `0', `shift($*)', `shiftn(decr(`$1'), shift(shift($*)))')')

# refpolicywarn(MESSAGE), refpolicyerr(MESSAGE)
define(`refpolicywarn', `errprint(__file__:__line__: Warning: `$1'
)')
define(`refpolicyerr', `errprint(__file__:__line__: Error: `$1'
)')

# mls_systemlow, mls_systemhigh, mls_allcats
#   The lowest level, the highest, and all categories.
define(`mls_systemlow', `s0')
define(`mls_systemhigh', `s`'decr(mls_num_sens):c0.c`'decr(mls_num_cats)')
define(`mls_allcats', `c0.c`'decr(mls_num_cats)')
