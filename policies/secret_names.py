"""Names that hold a secret: `DB_PASSWORD`, `clientSecret`, `--api-key`.

A name is read as words. The last word that means a secret decides, unless the words after it make
the name one of an attribute (`TOKEN_TTL`) or of a reference (`PASSWORD_FILE`, `existingSecret`).
"""

import re
from functools import lru_cache

_LONGEST = 256
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
_SECRET = re.compile(
    r"^(secrets?|tokens?|credentials?|pass|pwd|[a-z]*(password|passwd|passphrase)s?"
    r"|(db|pg|sql|mysql|postgres|mongo|redis|ldap|smtp|root|admin|user|keystore|truststore|require)"
    r"pass|(master|primary)auth"
    r"|[a-z]*(api|access|private|secret|signing|encryption|master|auth)keys?"
    r"|[a-z]*(api|auth|access|bearer)tokens?|clientsecrets?|connectionstrings?)$"
)
_KEYS = {
    *("access", "account", "api", "auth", "encryption", "master", "private", "secret", "shared"),
    *("anthropic", "openai", "signing", "storage", "subscription"),
}
_CONTENTS = {"content", "contents", "pem"}
"""Words after `key` that mean the key itself, unless it is a public one."""
_ONLY_LAST = {"pass", "pwd"}
"""Words with other meanings inside a name: PASS_THROUGH."""
_ATTRIBUTES = re.compile(
    r"^(alg(o(rithm)?)?|allowed|audiences?|authentication|backend|budget|class|cookie|count|days"
    r"|dir(ectory)?|driver|duration|email|enabled|endpoints?|engine|expir\w*|field|file|files"
    r"|filename|format|groups?|header|helper|host|hours|ids?|interval|issuer|keys?name|kind|label"
    r"|length|lifetime|limit|location|login|manager|max\w*|method|min\w*|mode|mount|names?|namespace"
    r"|parameter|path|period|plugin|policy|port|prefix|projects?|provider|rate|ref|refs|refresh"
    r"|region|required|retention|reviewer|rotation|scheme|scopes?|seconds|selector|server|size"
    r"|source|store|strategy|suffix|threshold|timeout|ttl|type|ur[il]s?|user|username|validity"
    r"|vault|version|volume)$"
)
_REFERRING = {
    *("cert", "certificate", "credential", "credentials", "environment", "existing", "key"),
    *("password", "pull", "ssl", "tls", "token"),
}
"""Words before `secret` in the name of a Secret object: `existingSecret`, `passwordSecret`."""
_COUNTED = ("cached", "completion", "input", "output", "prompt", "reasoning", "total")
_NO_SECRETS = {
    ("initial", "cluster", "token"),
    ("oldpwd",),
    *((which, "tokens") for which in _COUNTED),
}
"""etcd's token tells clusters apart, the shell's variable names a directory, and `prompt_tokens`
are those that a language model has read."""


def words(name: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case and without numbers at their end."""
    spelled = _SEPARATORS.split(_CAMEL.sub("_", name[:_LONGEST]).lower())
    return tuple(filter(None, (one.rstrip("0123456789") for one in spelled)))


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a value of this name is expected to be a secret."""
    found = words(name)
    last = max((i for i in range(len(found)) if _means_secret(found, i)), default=-1)
    if last < 0 or found in _NO_SECRETS:
        return False
    if found[-1] != found[last] and (found[last] in _ONLY_LAST or _ATTRIBUTES.match(found[-1])):
        return False
    return not (found[last] in {"secret", "secrets"} and last and found[last - 1] in _REFERRING)


@lru_cache(maxsize=4096)
def ends_in_secret(name: str) -> bool:
    """Whether a name's last word means a secret."""
    found = words(name)
    return bool(found) and _means_secret(found, len(found) - 1)


def _means_secret(found: tuple[str, ...], at: int) -> bool:
    if found[at] in {"key", "keys"}:
        before, after = found[:at], found[at + 1 :]
        if after and after[0] in _CONTENTS:
            return "public" not in before
        # Each service of Azure has its own key: AZURE_BATCH_KEY.
        return bool(before) and (before[-1] in _KEYS or (before[0] == "azure" and not after))
    if found[at] in {"string", "strings"}:
        return at > 0 and found[at - 1] == "connection"
    return _SECRET.match(found[at]) is not None
