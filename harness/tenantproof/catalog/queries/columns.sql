-- One row per column, with the type under its domains and what those domains add.
-- OIDs from 16384 (FirstNormalObjectId) on are the user's.
WITH RECURSIVE layer AS (
    SELECT t.oid AS root, t.oid, t.typbasetype AS base, t.typtypmod AS typmod,
           t.typnotnull AS not_null, t.typdefault AS default_value, 1 AS depth
    FROM pg_type t WHERE t.typtype = 'd'
  UNION ALL
    SELECT l.root, t.oid, t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault, l.depth + 1
    FROM layer l JOIN pg_type t ON t.oid = l.base AND t.typtype = 'd'
), domain AS (
    SELECT l.root,
           (array_agg(l.base ORDER BY l.depth DESC))[1] AS base,
           (array_agg(l.typmod ORDER BY l.depth DESC))[1] AS typmod,
           bool_or(l.not_null) AS not_null,
           (array_agg(l.default_value ORDER BY l.depth) FILTER (WHERE l.default_value IS NOT NULL))[1]
             AS default_value,
           array_agg(pg_get_constraintdef(k.oid) ORDER BY l.depth, k.conname)
             FILTER (WHERE k.oid IS NOT NULL) AS checks
    FROM layer l
    LEFT JOIN pg_constraint k ON k.contypid = l.oid AND k.contype = 'c'
    GROUP BY l.root
), label AS (
    SELECT e.enumtypid, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
    FROM pg_enum e GROUP BY e.enumtypid
)
SELECT a.attrelid AS relation,
       a.attname::text AS name,
       a.attnum AS position,
       format_type(a.atttypid, a.atttypmod) AS type,
       bn.nspname || '.' || b.typname AS base_type,
       b.typcategory::text AS category,
       a.attnotnull OR coalesce(domain.not_null, false) AS not_null,
       coalesce(pg_get_expr(ad.adbin, ad.adrelid), domain.default_value) AS default_value,
       a.attidentity::text AS identity,
       a.attgenerated <> '' AS generated,
       label.labels AS enum_values,
       CASE WHEN b.typcategory = 'A' AND b.typelem <> 0
            THEN format_type(b.typelem, coalesce(domain.typmod, a.atttypmod)) END AS element_type,
       CASE WHEN b.oid IN ('varchar'::regtype, 'bpchar'::regtype)
             AND coalesce(domain.typmod, a.atttypmod) > 4
            THEN coalesce(domain.typmod, a.atttypmod) - 4 END AS length,
       domain.checks AS domain_checks,
       domain.root IS NOT NULL AS is_domain,
       coalesce(described.description, '') AS comment
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN domain ON domain.root = a.atttypid
JOIN pg_type b ON b.oid = coalesce(domain.base, a.atttypid)
JOIN pg_namespace bn ON bn.oid = b.typnamespace
LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
LEFT JOIN label ON label.enumtypid = b.oid
LEFT JOIN pg_description described
       ON described.objoid = c.oid AND described.classoid = 'pg_class'::regclass
      AND described.objsubid = a.attnum
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
