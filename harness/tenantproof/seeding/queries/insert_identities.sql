INSERT INTO auth.identities (
    id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at
)
SELECT
    person.identity, person.id::text, person.id,
    jsonb_build_object('sub', person.id, 'email', person.email, 'email_verified', true), 'email',
    $2::timestamptz, $2::timestamptz, $2::timestamptz
FROM jsonb_to_recordset($1::jsonb) AS person (id uuid, email text, identity uuid)
ON CONFLICT DO NOTHING;
