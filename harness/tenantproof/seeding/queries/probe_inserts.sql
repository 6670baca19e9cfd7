CREATE OR REPLACE FUNCTION pg_temp.tenantproof_probe(drafts jsonb)
RETURNS TABLE (number bigint, code text, message text, which text, part text, kind text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
DECLARE
    draft jsonb;
    setting jsonb;
    removal text;
    literals text;
    written bigint;
BEGIN
    FOR draft, number IN SELECT item, ordinality FROM jsonb_array_elements(drafts) WITH ORDINALITY AS t (item, ordinality)
    LOOP
        SELECT string_agg(quote_nullable(value), ', ' ORDER BY ordinality) INTO literals
        FROM jsonb_array_elements_text(draft -> 'values') WITH ORDINALITY AS t (value, ordinality);
        BEGIN
            IF draft -> 'removals' <> '[]' THEN
                PERFORM set_config('session_replication_role', 'replica', true);
                FOR removal IN SELECT * FROM jsonb_array_elements_text(draft -> 'removals')
                LOOP
                    EXECUTE removal;
                END LOOP;
                PERFORM set_config('session_replication_role', 'origin', true);
            END IF;
            FOR setting IN SELECT * FROM jsonb_array_elements(draft -> 'settings')
            LOOP
                PERFORM set_config(setting ->> 0, setting ->> 1, true);
            END LOOP;
            EXECUTE format('%s OVERRIDING SYSTEM VALUE VALUES (%s)', draft ->> 'head', literals);
            GET DIAGNOSTICS written = ROW_COUNT;
            IF written = 0 THEN
                RAISE EXCEPTION USING ERRCODE = 'TP001', MESSAGE = 'a trigger leaves the row out';
            END IF;
            RAISE EXCEPTION USING ERRCODE = 'TP000';
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, which = CONSTRAINT_NAME,
                part = COLUMN_NAME, kind = PG_DATATYPE_NAME;
        END;
        IF (draft ->> 'keep')::boolean AND code IN ('TP000', '23503') THEN
            PERFORM set_config('session_replication_role', 'replica', true);
            BEGIN
                EXECUTE format('%s OVERRIDING SYSTEM VALUE VALUES (%s)', draft ->> 'head', literals);
            EXCEPTION WHEN OTHERS THEN
                NULL;
            END;
            PERFORM set_config('session_replication_role', 'origin', true);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$body$;
