"""What a user reads for each mistake: the whole text, because the text is the interface."""

# ruff: noqa: E501 (golden texts)

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.core.errors import ScenarioError
from tenantproof.scenario import load_scenario

BASE = """\
version: 1
database: {platform: supabase}
tenants: [acme, globex]
"""

CASES: list[tuple[str, str, list[str]]] = [
    (
        "empty-file",
        "",
        [
            "x.yaml:1:1: error[empty-file] the file is empty",
            "  a scenario starts with: version: 1",
        ],
    ),
    (
        "only-comments",
        "# nothing\n---\n",
        [
            "x.yaml:3:1: error[empty-file] the file is empty",
            "  a scenario starts with: version: 1",
        ],
    ),
    (
        "a-list",
        "- version: 1\n",
        [
            "x.yaml:1:1: error[not-a-mapping] a scenario is a mapping, and this file holds a list",
            "  |",
            "1 | - version: 1",
            "  | ^ a scenario starts with: version: 1",
        ],
    ),
    (
        "a-text",
        "hello\n",
        [
            "x.yaml:1:1: error[not-a-mapping] a scenario is a mapping, and this file holds text",
            "  |",
            "1 | hello",
            "  | ^^^^^ a scenario starts with: version: 1",
        ],
    ),
    (
        "tabs",
        "version: 1\ndatabase:\n\tplatform: supabase\n",
        [
            "x.yaml:3:1: error[yaml-syntax] found character that cannot start any token (while scanning for the next token)",
            "  |",
            "3 |  platform: supabase",
            "  | ^ YAML is indented with spaces, never with tabs",
        ],
    ),
    (
        "control-character",
        "version: 1\nname: a\x00b\n",
        [
            "x.yaml:2:8: error[not-text] character U+0000 does not belong in a text file",
            "  is this a YAML file?",
        ],
    ),
    (
        "open-quote",
        'version: 1\nname: "abc\n',
        [
            "x.yaml:2:7: error[yaml-syntax] found unexpected end of stream (while scanning a quoted scalar)",
            "  |",
            '2 | name: "abc',
            "  |       ^ a quote was opened and never closed",
        ],
    ),
    (
        "open-brace",
        "version: 1\ndatabase: {platform: supabase\ntenants: [a, b]\n",
        [
            "x.yaml:3:8: error[yaml-syntax] did not find expected ',' or '}' (while parsing a flow mapping)",
            "  |",
            "3 | tenants: [a, b]",
            "  |        ^ a '{' needs its '}', and a comma between its entries",
        ],
    ),
    (
        "colon-in-text",
        "version: 1\nname: my: app\n",
        [
            "x.yaml:2:9: error[yaml-syntax] mapping values are not allowed in this context",
            "  |",
            "2 | name: my: app",
            "  |         ^ a value that holds ': ' needs quotes",
        ],
    ),
    (
        "unquoted-star",
        BASE + "expect:\n  *: {all: none}\n",
        [
            "x.yaml:5:4: error[yaml-syntax] did not find expected alphabetic or numeric character (while scanning an alias)",
            "  |",
            "5 |   *: {all: none}",
            "  |    ^ '*' starts an alias in YAML: put it in quotes",
        ],
    ),
    (
        "at-sign",
        "version: 1\nname: @app\n",
        [
            "x.yaml:2:7: error[yaml-syntax] found character that cannot start any token (while scanning for the next token)",
            "  |",
            "2 | name: @app",
            "  |       ^ a value that starts with '@' needs quotes",
        ],
    ),
    (
        "second-document",
        BASE + "---\nversion: 1\ndatabase: {platform: supabase}\ntenants: [acme, globex]\n",
        [
            "x.yaml:4:1: error[documents] a second document starts; a scenario file holds one",
            "  |",
            "4 | ---",
            "  | ^^^",
        ],
    ),
    (
        "undefined-alias",
        "version: 1\nname: *app\n",
        [
            "x.yaml:2:7: error[alias] no anchor '&app' stands before this alias",
            "  |",
            "2 | name: *app",
            "  |       ^^^^ put the text in quotes if no alias is meant",
        ],
    ),
    (
        "alias-to-itself",
        "version: 1\nclaims: &c {a: *c}\n",
        [
            "x.yaml:2:16: error[alias] '*c' stands inside the value it refers to",
            "  |",
            "2 | claims: &c {a: *c}",
            "  |                ^^",
        ],
    ),
    (
        "merge-key",
        BASE + "tables:\n  a: &a {tenant: id}\n  b: {<<: *a}\n",
        [
            "x.yaml:6:7: error[merge-key] merge keys ('<<') are not part of YAML 1.2",
            "  |",
            "6 |   b: {<<: *a}",
            "  |       ^^ write the keys out, or give each whole value an &anchor and an *alias",
        ],
    ),
    (
        "tag",
        BASE + "name: !!python/object:os.system x\n",
        [
            "x.yaml:4:7: error[tag] YAML tags such as 'tag:yaml.org,2002:python/object:os.system' are not supported",
            "  |",
            "4 | name: !!python/object:os.system x",
            "  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^ remove the tag, or quote a text that starts with '!'",
        ],
    ),
    (
        "duplicate-key",
        BASE + "tenants: [acme, globex]\n",
        [
            "x.yaml:4:1: error[duplicate-key] duplicate key 'tenants': it stands at line 3 and again at line 4",
            "  |",
            "4 | tenants: [acme, globex]",
            "  | ^^^^^^^ keep one of the two",
        ],
    ),
    (
        "list-as-key",
        BASE + "claims:\n  ? [a]\n  : b\n",
        [
            "x.yaml:5:5: error[bad-key] a key must be text, and this is a list",
            "  |",
            "5 |   ? [a]",
            '  |     ^ quote a text that starts with a brace or bracket: "{tenant.id}"',
        ],
    ),
    (
        "too-deep",
        "claims: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
        [
            "x.yaml:1:49: error[too-deep] nested more than 40 levels deep",
            "  |",
            "1 | claims: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            "  |                                                 ^",
        ],
    ),
    (
        "missing-keys",
        "name: x\n",
        [
            "x.yaml:1:1: error[missing-key] the key 'version' is missing",
            "  |",
            "1 | name: x",
            "  | ^ write: version: 1",
            "",
            "x.yaml:1:1: error[missing-key] the key 'database' is missing",
            "  |",
            "1 | name: x",
            "  | ^ write: database: {platform: supabase, migrations: path}",
            "",
            "x.yaml:1:1: error[missing-key] the key 'tenants' is missing",
            "  |",
            "1 | name: x",
            "  | ^ name two or more: tenants: [acme, globex]",
        ],
    ),
    (
        "version-as-text",
        'version: "1"\ndatabase: {platform: supabase}\ntenants: [acme, globex]\n',
        [
            "x.yaml:1:10: error[version] expected version 1, found the text '1'",
            "  |",
            '1 | version: "1"',
            "  |          ^^^ write: version: 1",
        ],
    ),
    (
        "version-two",
        "version: 2\ndatabase: {platform: supabase}\ntenants: [acme, globex]\n",
        [
            "x.yaml:1:10: error[version] expected version 1, found the number 2",
            "  |",
            "1 | version: 2",
            "  |          ^ write: version: 1",
        ],
    ),
    (
        "unknown-key",
        BASE + "tabels: {a: {tenant: id}}\n",
        [
            "x.yaml:4:1: error[unknown-key] unknown key 'tabels'",
            "  |",
            "4 | tabels: {a: {tenant: id}}",
            "  | ^^^^^^ did you mean 'tables'? (known: accept, claims, database, endpoints, endpoints_app, expect, fill, membership, name, pooled, roles, session, tables, tenants, version)",
        ],
    ),
    (
        "unknown-key-case",
        BASE + "Claims: {}\n",
        [
            "x.yaml:4:1: error[unknown-key] unknown key 'Claims'",
            "  |",
            "4 | Claims: {}",
            "  | ^^^^^^ did you mean 'claims'? (known: accept, claims, database, endpoints, endpoints_app, expect, fill, membership, name, pooled, roles, session, tables, tenants, version)",
        ],
    ),
    (
        "unknown-key-below",
        BASE + "tables:\n  a: {tenent: id}\n",
        [
            "x.yaml:5:7: error[unknown-key] unknown key 'tenent' in tables.a",
            "  |",
            "5 |   a: {tenent: id}",
            "  |       ^^^^^^ did you mean 'tenant'? (known: owner, private, rows, shared, system_rows, tenant, values)",
        ],
    ),
    (
        "one-tenant",
        "version: 1\ndatabase: {platform: supabase}\ntenants: [acme]\n",
        [
            "x.yaml:3:1: error[too-few-tenants] two or more tenants are needed, and here is one",
            "  |",
            "3 | tenants: [acme]",
            "  | ^^^^^^^ isolation is between tenants: name two",
        ],
    ),
    (
        "no-tenant",
        "version: 1\ndatabase: {platform: supabase}\ntenants: []\n",
        [
            "x.yaml:3:1: error[too-few-tenants] two or more tenants are needed, and here is none",
            "  |",
            "3 | tenants: []",
            "  | ^^^^^^^ isolation is between tenants: name two",
        ],
    ),
    (
        "tenant-twice",
        "version: 1\ndatabase: {platform: supabase}\ntenants: [acme, acme]\n",
        [
            "x.yaml:3:17: error[duplicate-name] the tenant 'acme' stands there twice (first at line 3)",
            "  |",
            "3 | tenants: [acme, acme]",
            "  |                 ^^^^ keep one of the two",
        ],
    ),
    (
        "tenant-ids-alike",
        "version: 1\ndatabase: {platform: supabase}\ntenants: [{name: a, id: 7}, {name: b, id: 7}]\n",
        [
            "x.yaml:3:43: error[duplicate-name] the tenant id '7' stands there twice (first at line 3)",
            "  |",
            "3 | tenants: [{name: a, id: 7}, {name: b, id: 7}]",
            "  |                                           ^ keep one of the two",
        ],
    ),
    (
        "tenant-name",
        "version: 1\ndatabase: {platform: supabase}\ntenants: [acme, glo bex]\n",
        [
            "x.yaml:3:17: error[bad-name] 'glo bex' cannot name a tenant",
            "  |",
            "3 | tenants: [acme, glo bex]",
            "  |                 ^^^^^^^ use letters, digits, '-' and '_', at most 63, a letter or digit first",
        ],
    ),
    (
        "tenant-reserved",
        "version: 1\ndatabase: {platform: supabase}\ntenants: [acme, anon]\n",
        [
            "x.yaml:3:17: error[reserved-name] 'anon' has a meaning of its own and cannot name a tenant",
            "  |",
            "3 | tenants: [acme, anon]",
            "  |                 ^^^^ reserved: *, anon, dual, outsider, where",
        ],
    ),
    (
        "tenant-number",
        "version: 1\ndatabase: {platform: supabase}\ntenants: [acme, 12]\n",
        [
            "x.yaml:3:17: error[wrong-type] tenants.1: expected a name or {name, id}, found the number 12",
            "  |",
            "3 | tenants: [acme, 12]",
            "  |                 ^^",
        ],
    ),
    (
        "platform",
        "version: 1\ndatabase: {platform: supabse}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:22: error[unknown-value] unknown value 'supabse' of database.platform",
            "  |",
            "2 | database: {platform: supabse}",
            "  |                      ^^^^^^^ did you mean 'supabase'? (known: postgres, supabase)",
        ],
    ),
    (
        "postgres-without-role",
        "version: 1\ndatabase: {platform: postgres}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:12: error[missing-key] on platform postgres the key 'session.role' is required",
            "  |",
            "2 | database: {platform: postgres}",
            "  |            ^^^^^^^^ name the role your application's queries run as",
        ],
    ),
    (
        "boolean-yes",
        "version: 1\ndatabase: {platform: supabase, auto_expose_new_tables: yes}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:56: error[wrong-type] database.auto_expose_new_tables: expected true or false, found the text 'yes'",
            "  |",
            "2 | database: {platform: supabase, auto_expose_new_tables: yes}",
            "  |                                                        ^^^ 'yes' is text in YAML 1.2: write true or false",
        ],
    ),
    (
        "migration-missing",
        "version: 1\ndatabase: {platform: supabase, migrations: [migratons]}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:45: error[no-such-file] no file or folder 'migratons'",
            "  |",
            "2 | database: {platform: supabase, migrations: [migratons]}",
            "  |                                             ^^^^^^^^^ paths are relative to the scenario file; did you mean 'migrations'? (known: empty, migrations)",
        ],
    ),
    (
        "migration-empty-folder",
        "version: 1\ndatabase: {platform: supabase, migrations: empty}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:44: error[no-migrations] the folder 'empty' holds no *.sql file",
            "  |",
            "2 | database: {platform: supabase, migrations: empty}",
            "  |                                            ^^^^^ is it the right one? Of migrations in another language give a dump: pg_dump --schema-only",
        ],
    ),
    (
        "migration-twice",
        "version: 1\ndatabase: {platform: supabase, migrations: [migrations, ./migrations]}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:57: error[duplicate-migration] './migrations' is applied twice (first named at line 2)",
            "  |",
            "2 | database: {platform: supabase, migrations: [migrations, ./migrations]}",
            "  |                                                         ^^^^^^^^^^^^ a migration can run only once",
        ],
    ),
    (
        "shims-missing",
        "version: 1\ndatabase: {platform: supabase, shims: migratons}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:39: error[no-such-file] the folder 'migratons' is not there",
            "  |",
            "2 | database: {platform: supabase, shims: migratons}",
            "  |                                       ^^^^^^^^^ paths are relative to the scenario file; did you mean 'migrations'? (known: empty, migrations)",
        ],
    ),
    (
        "shims-without-any",
        "version: 1\ndatabase: {platform: supabase, shims: migrations}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:39: error[no-shims] the folder 'migrations' holds no *.control file",
            "  |",
            "2 | database: {platform: supabase, shims: migrations}",
            "  |                                       ^^^^^^^^^^ expected NAME.control and NAME--VERSION.sql, as PostgreSQL's extensions have them",
        ],
    ),
    (
        "schema-of-postgres",
        "version: 1\ndatabase: {platform: supabase, schemas: [pg_catalog]}\ntenants: [acme, globex]\n",
        [
            "x.yaml:2:42: error[bad-name] 'pg_catalog' belongs to PostgreSQL itself",
            "  |",
            "2 | database: {platform: supabase, schemas: [pg_catalog]}",
            "  |                                          ^^^^^^^^^^ name schemas of your own",
        ],
    ),
    (
        "setting-name",
        BASE + 'session: {settings: {"tenant id": x}}\n',
        [
            "x.yaml:4:22: error[bad-name] session.settings.tenant id: not a name of a setting",
            "  |",
            '4 | session: {settings: {"tenant id": x}}',
            "  |                      ^^^^^^^^^^^ custom settings look like app.tenant_id",
        ],
    ),
    (
        "setting-placeholder",
        BASE + 'session: {settings: {app.tenant: "{tenant.uuid}"}}\n',
        [
            "x.yaml:4:34: error[unknown-placeholder] unknown placeholder '{tenant.uuid}' in session.settings.app.tenant",
            "  |",
            '4 | session: {settings: {app.tenant: "{tenant.uuid}"}}',
            "  |                                  ^^^^^^^^^^^^^^^ did you mean 'tenant.id'? (known: role, tenant.id, tenant.name, user.email, user.id)",
        ],
    ),
    (
        "placeholder-without-quotes",
        BASE + "session: {settings: {app.tenant: {tenant.id}}}\n",
        [
            "x.yaml:4:34: error[wrong-type] session.settings.app.tenant: expected text, found a mapping",
            "  |",
            "4 | session: {settings: {app.tenant: {tenant.id}}}",
            '  |                                  ^ a placeholder needs quotes: "{tenant.id}"',
        ],
    ),
    (
        "claim-placeholder-without-quotes",
        BASE + "claims:\n  org: {tenant.id}\n",
        [
            "x.yaml:5:8: error[wrong-type] claims.org: expected text, found a mapping",
            "  |",
            "5 |   org: {tenant.id}",
            '  |        ^ a placeholder needs quotes: "{tenant.id}"',
        ],
    ),
    (
        "claim-placeholder",
        BASE + 'claims: {org: ["{tennant.id}"]}\n',
        [
            "x.yaml:4:16: error[unknown-placeholder] unknown placeholder '{tennant.id}' in claims.org.0",
            "  |",
            '4 | claims: {org: ["{tennant.id}"]}',
            "  |                ^^^^^^^^^^^^^^ did you mean 'tenant.id'? (known: role, tenant.id, tenant.name, user.email, user.id)",
        ],
    ),
    (
        "value-placeholder",
        BASE + 'tables: {a: {values: {x: "{user.id}"}}}\n',
        [
            "x.yaml:4:26: error[unknown-placeholder] unknown placeholder '{user.id}' in tables.a.values.x",
            "  |",
            '4 | tables: {a: {values: {x: "{user.id}"}}}',
            "  |                          ^^^^^^^^^^^ did you mean 'owner.id'? (known: canary, n, owner.id, tenant.id, tenant.name, uuid)",
        ],
    ),
    (
        "no-value",
        BASE + "tables:\n  a:\n    tenant:\n",
        [
            "x.yaml:6:5: error[empty] tables.a.tenant has no value",
            "  |",
            "6 |     tenant:",
            "  |     ^^^^^^ write a value, or remove the key",
        ],
    ),
    (
        "role-twice",
        BASE + "roles: [a, a]\nclaims: {r: '{role}'}\n",
        [
            "x.yaml:4:12: error[duplicate-name] the role 'a' stands there twice (first at line 4)",
            "  |",
            "4 | roles: [a, a]",
            "  |            ^ keep one of the two",
        ],
    ),
    (
        "role-reserved",
        BASE + "roles: [outsider]\nclaims: {r: '{role}'}\n",
        [
            "x.yaml:4:9: error[reserved-name] 'outsider' has a meaning of its own and cannot name a role",
            "  |",
            "4 | roles: [outsider]",
            "  |         ^^^^^^^^ reserved: *, anon, dual, outsider, where",
        ],
    ),
    (
        "roles-unused",
        BASE + "roles: [owner]\nmembership: {table: m, user: u, tenant: t}\n",
        [
            "x.yaml:4:1: error[unused-roles] roles are declared, but nothing tells the database a user's role",
            "  |",
            "4 | roles: [owner]",
            "  | ^^^^^ give membership a `role: column`, or use {role} in claims or session.settings",
        ],
    ),
    (
        "role-column-without-roles",
        BASE + "membership: {table: m, user: u, tenant: t, role: r}\n",
        [
            "x.yaml:4:50: error[missing-key] membership.role names a column, but no roles are declared",
            "  |",
            "4 | membership: {table: m, user: u, tenant: t, role: r}",
            "  |                                                  ^ list them, strongest first: roles: [owner, member]",
        ],
    ),
    (
        "membership-key",
        BASE + "membership: {table: m, users: u, tenant: t}\n",
        [
            "x.yaml:4:1: error[missing-key] membership has no key 'user'",
            "  |",
            "4 | membership: {table: m, users: u, tenant: t}",
            "  | ^^^^^^^^^^ it is required",
            "",
            "x.yaml:4:24: error[unknown-key] unknown key 'users' in membership",
            "  |",
            "4 | membership: {table: m, users: u, tenant: t}",
            "  |                        ^^^^^ did you mean 'user'? (known: role, table, tenant, user, values)",
        ],
    ),
    (
        "shared-and-tenant",
        BASE + "tables:\n  a: {shared: true, tenant: id}\n",
        [
            "x.yaml:5:21: error[contradiction] tables.a is shared and has 'tenant': shared rows belong to nobody",
            "  |",
            "5 |   a: {shared: true, tenant: id}",
            "  |                     ^^^^^^ remove 'tenant' or 'shared'",
        ],
    ),
    (
        "shared-and-private",
        BASE + "tables:\n  a: {shared: true, private: true}\n",
        [
            "x.yaml:5:21: error[contradiction] tables.a is shared and private at once",
            "  |",
            "5 |   a: {shared: true, private: true}",
            "  |                     ^^^^^^^ shared: all may know it; private: nobody may",
        ],
    ),
    (
        "private-and-owner",
        BASE + "tables:\n  a: {private: true, owner: id}\n",
        [
            "x.yaml:5:22: error[contradiction] tables.a is private and has 'owner': nobody may reach private rows",
            "  |",
            "5 |   a: {private: true, owner: id}",
            "  |                      ^^^^^ remove 'owner' or 'private'",
        ],
    ),
    (
        "bad-path",
        BASE + "tables:\n  a: {tenant: b..c}\n",
        [
            "x.yaml:5:15: error[bad-path] tables.a.tenant: 'b..c' is no path of columns",
            "  |",
            "5 |   a: {tenant: b..c}",
            "  |               ^^^^ write column, or column.column along foreign keys, or {sql: expression}",
        ],
    ),
    (
        "locator-list",
        BASE + "tables:\n  a: {tenant: [b, c]}\n",
        [
            "x.yaml:5:15: error[wrong-type] tables.a.tenant: expected a column, a path along foreign keys (workflow_id.organization_id) or {sql: expression}, found a list",
            "  |",
            "5 |   a: {tenant: [b, c]}",
            "  |               ^",
        ],
    ),
    (
        "no-rows",
        BASE + "tables:\n  a: {rows: 0}\n",
        [
            "x.yaml:5:13: error[bad-value] tables.a.rows: expected 1 or more, found 0",
            "  |",
            "5 |   a: {rows: 0}",
            "  |             ^",
        ],
    ),
    (
        "unknown-schema",
        BASE + "tables:\n  publik.a: {tenant: id}\n",
        [
            "x.yaml:5:3: error[unknown-schema] 'publik.a' is in the schema 'publik', which database.schemas does not name",
            "  |",
            "5 |   publik.a: {tenant: id}",
            "  |   ^^^^^^^^ did you mean 'public'? (known: public) Or name it in database.schemas.",
        ],
    ),
    (
        "too-many-dots",
        BASE + "tables:\n  a.b.c: {tenant: id}\n",
        [
            "x.yaml:5:3: error[bad-name] 'a.b.c' is no name of a table",
            "  |",
            "5 |   a.b.c: {tenant: id}",
            "  |   ^^^^^ write table or schema.table; a dot inside a name needs SQL quotes: '\"order.items\"'",
        ],
    ),
    (
        "same-table-twice",
        BASE + "tables:\n  a: {tenant: id}\n  public.a: {tenant: id}\n",
        [
            "x.yaml:6:3: error[duplicate-table] 'public.a' is the same table as 'a' at line 5",
            "  |",
            "6 |   public.a: {tenant: id}",
            "  |   ^^^^^^^^ keep one of the two",
        ],
    ),
    (
        "same-table-twice-in-expect",
        BASE + "expect:\n  a: {all: tenant}\n  public.a: {all: none}\n",
        [
            "x.yaml:6:3: error[duplicate-table] 'public.a' is the same table as 'a' at line 5",
            "  |",
            "6 |   public.a: {all: none}",
            "  |   ^^^^^^^^ keep one of the two",
        ],
    ),
    (
        "unknown-command",
        BASE + "expect:\n  a: {slect: tenant}\n",
        [
            "x.yaml:5:7: error[unknown-command] unknown command 'slect' in expect.a",
            "  |",
            "5 |   a: {slect: tenant}",
            "  |       ^^^^^ did you mean 'select'? (known: all, delete, insert, read, select, update, where, write)",
        ],
    ),
    (
        "unknown-scope",
        BASE + "expect:\n  a: {select: tennant}\n",
        [
            "x.yaml:5:15: error[unknown-scope] unknown scope 'tennant' in expect.a.select",
            "  |",
            "5 |   a: {select: tennant}",
            "  |               ^^^^^^^ did you mean 'tenant'? (known: all, none, own, tenant)",
        ],
    ),
    (
        "unknown-scope-directly",
        BASE + "expect:\n  a: nobody\n",
        [
            "x.yaml:5:6: error[unknown-scope] unknown scope 'nobody' in expect.a",
            "  |",
            "5 |   a: nobody",
            "  |      ^^^^^^ no such name. (known: all, none, own, tenant)",
        ],
    ),
    (
        "unknown-role",
        BASE + "expect:\n  a: {select: {annon: none}}\n",
        [
            "x.yaml:5:16: error[unknown-role] unknown role 'annon' in expect.a.select",
            "  |",
            "5 |   a: {select: {annon: none}}",
            "  |                ^^^^^ did you mean 'anon'? (known: *, anon, outsider)",
        ],
    ),
    (
        "role-dual",
        BASE + "expect:\n  a: {select: {dual: none}}\n",
        [
            "x.yaml:5:16: error[unknown-role] unknown role 'dual' in expect.a.select",
            "  |",
            "5 |   a: {select: {dual: none}}",
            "  |                ^^^^ the persona dual has the roles it has in its two tenants: speak of these",
        ],
    ),
    (
        "none-in-union",
        BASE + "expect:\n  a: {select: [none, tenant]}\n",
        [
            "x.yaml:5:15: error[none-in-union] expect.a.select: 'none' in a union with other scopes says nothing",
            "  |",
            "5 |   a: {select: [none, tenant]}",
            "  |               ^ remove 'none', or the others",
        ],
    ),
    (
        "empty-map",
        BASE + "expect:\n  a: {select: {}}\n",
        [
            "x.yaml:5:15: error[empty] expect.a.select says nothing",
            "  |",
            "5 |   a: {select: {}}",
            "  |               ^ write a scope, or remove the key",
        ],
    ),
    (
        "scope-number",
        BASE + "expect:\n  a: {select: 5}\n",
        [
            "x.yaml:5:15: error[wrong-type] expect.a.select: expected a scope (none, own, tenant, all), {where: predicate}, a list, or role: scope, found the number 5",
            "  |",
            "5 |   a: {select: 5}",
            "  |               ^",
        ],
    ),
    (
        "own-without-owner",
        BASE + "tables:\n  a: {tenant: id}\nexpect:\n  a: {select: own}\n",
        [
            "x.yaml:7:15: error[no-owner] expect.a.select says 'own', but tables (line 5) gives public.a no owner",
            "  |",
            "7 |   a: {select: own}",
            "  |               ^^^ declare `owner: column` there, or use another scope",
        ],
    ),
    (
        "tenant-of-private",
        BASE + "tables:\n  a: {private: true}\nexpect:\n  a: {select: [tenant]}\n",
        [
            "x.yaml:7:15: error[no-tenant] expect.a.select says 'tenant', but tables (line 5) declares public.a private",
            "  |",
            "7 |   a: {select: [tenant]}",
            "  |               ^ declare `tenant: column` there, or use all or none",
        ],
    ),
    (
        "endpoint-method",
        BASE + 'endpoints: [{name: a, method: get, url: "{base}/"}]\n',
        [
            "x.yaml:4:31: error[unknown-value] unknown value 'get' of endpoints.0.method",
            "  |",
            '4 | endpoints: [{name: a, method: get, url: "{base}/"}]',
            "  |                               ^^^ did you mean 'GET'?",
        ],
    ),
    (
        "endpoint-url",
        BASE + "endpoints: [{name: a, url: /report}]\n",
        [
            "x.yaml:4:28: error[bad-url] endpoints.0.url: expected a URL",
            "  |",
            "4 | endpoints: [{name: a, url: /report}]",
            "  |                            ^^^^^^^ start it with {base}, http:// or https://",
        ],
    ),
    (
        "accept-without-reason",
        BASE + 'accept: [{channel: A, object: b, reason: " ", until: 2027-03-01}]\n',
        [
            "x.yaml:4:42: error[empty] accept.0.reason: expected text, found nothing but spaces",
            "  |",
            '4 | accept: [{channel: A, object: b, reason: " ", until: 2027-03-01}]',
            "  |                                          ^^^",
        ],
    ),
    (
        "accept-date",
        BASE + "accept: [{channel: A, object: b, reason: c, until: 2027-02-30}]\n",
        [
            "x.yaml:4:52: error[bad-date] accept.0.until: expected a date",
            "  |",
            "4 | accept: [{channel: A, object: b, reason: c, until: 2027-02-30}]",
            "  |                                                    ^^^^^^^^^^ write it as 2027-03-01",
        ],
    ),
    (
        "terminal-escape-in-key",
        BASE + '"\\e[31mred": 1\n',
        [
            "x.yaml:4:1: error[unknown-key] unknown key '�[31mred'",
            "  |",
            '4 | "\\e[31mred": 1',
            "  | ^^^^^^^^^^^ no such name. (known: accept, claims, database, endpoints, endpoints_app, expect, fill, membership, name, pooled, roles, session, tables, tenants, version)",
        ],
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with migrations in one place and none in another."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1.sql").write_text("select 1;\n")
    return tmp_path


@pytest.mark.parametrize(("text", "expected"), [pytest.param(text, lines, id=name) for name, text, lines in CASES])
def test_message(folder: Path, text: str, expected: list[str]) -> None:
    """The rendered error is exactly this."""
    path = folder / "x.yaml"
    path.write_bytes(text.encode())
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert str(caught.value).replace(path.as_posix(), "x.yaml").split("\n") == expected


def test_all_at_once(folder: Path) -> None:
    """Mistakes of every stage (YAML, shape, cross checks) come together, in the order of the file."""
    path = folder / "x.yaml"
    path.write_text(
        BASE
        + """\
tenants: [acme, globex]
roles: [owner, owner]
claims: {role: "{rolle}"}
tables:
  plans: {shraed: true}
  events: {tenant: id}
expect:
  events: {select: own, insert: {ownr: all}, update: sometimes}
"""
    )
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert [(problem.line, problem.code) for problem in caught.value.problems] == [
        (4, "duplicate-key"),
        (5, "unused-roles"),
        (5, "duplicate-name"),
        (6, "unknown-placeholder"),
        (8, "unknown-key"),
        (11, "no-owner"),
        (11, "unknown-role"),
        (11, "unknown-scope"),
    ]


def test_one_mistake_has_no_echo(folder: Path) -> None:
    """A misspelled section does not make every reference into it wrong too."""
    path = folder / "x.yaml"
    path.write_text(BASE + "rolse: [owner]\nexpect: {a: {select: {owner: all}}}\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert [problem.code for problem in caught.value.problems] == ["unknown-key"]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        pytest.param(b"\xff\xfev\x00", (1, 1, "encoding"), id="utf-16"),
        pytest.param(b"version: 1\nname: caf\xe9\n", (2, 10, "encoding"), id="latin-1"),
        pytest.param(b"\xef\xbb\xbfname: \xe9\n", (1, 7, "encoding"), id="latin-1-after-bom"),
        pytest.param(b"\x7fELF\x02\x01", (1, 1, "not-text"), id="binary"),
        pytest.param(b'name: "\\0"\n', (1, 7, "not-text"), id="nul-by-escape"),
        pytest.param(b"# " + b"x" * 5_000_000, (1, 1, "too-large"), id="huge"),
    ],
)
def test_not_text(folder: Path, data: bytes, place: tuple[int, int, str]) -> None:
    """What is no UTF-8 text gets one clear error, at the byte where it shows."""
    path = folder / "x.yaml"
    path.write_bytes(data)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.code) == place


def test_missing_file_names_its_neighbour(folder: Path) -> None:
    """A wrong path is answered with the scenario that is there."""
    (folder / "app.tenancy.yaml").write_text(BASE)
    with pytest.raises(ScenarioError, match=r"ap\.tenancy\.yaml:1:1: error\[unreadable\].*\n.*'app\.tenancy\.yaml'"):
        load_scenario(folder / "ap.tenancy.yaml")


def test_folder_instead_of_file(folder: Path) -> None:
    """A folder is no scenario."""
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(folder)


def test_billion_laughs(folder: Path) -> None:
    """Aliases that multiply are stopped before they fill the memory."""
    rows = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 12)]
    path = folder / "x.yaml"
    path.write_text("\n".join(rows))
    with pytest.raises(ScenarioError, match="more than 250000 values once aliases are followed"):
        load_scenario(path)


def test_long_line_has_no_excerpt(folder: Path) -> None:
    """A caret under a line of a thousand characters helps nobody."""
    path = folder / "x.yaml"
    path.write_text(BASE + "claims: {" + ", ".join(f"c{n}: 1" for n in range(200)) + ', x: "{nope}"}\n')
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert caught.value.problems[0].source_line == ""
