INSERT INTO auth.users (
    instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, last_sign_in_at,
    created_at, updated_at, raw_app_meta_data, raw_user_meta_data,
    confirmation_token, recovery_token, email_change_token_new, email_change
)
SELECT
    '00000000-0000-0000-0000-000000000000', person.id, 'authenticated', 'authenticated', person.email, '',
    $2::timestamptz, $2::timestamptz, $2::timestamptz, $2::timestamptz,
    '{"provider": "email", "providers": ["email"]}', person.meta,
    '', '', '', ''
FROM jsonb_to_recordset($1::jsonb) AS person (id uuid, email text, meta jsonb)
WHERE NOT EXISTS (SELECT FROM auth.users AS known WHERE known.id = person.id);
