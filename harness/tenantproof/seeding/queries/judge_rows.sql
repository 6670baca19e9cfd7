CREATE OR REPLACE FUNCTION pg_temp.tenantproof_judge(questions jsonb)
RETURNS TABLE (number bigint, holds jsonb, became jsonb)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
DECLARE
    question text;
BEGIN
    FOR question, number IN SELECT * FROM jsonb_array_elements_text(questions) WITH ORDINALITY
    LOOP
        BEGIN
            EXECUTE question INTO holds, became;
        EXCEPTION WHEN OTHERS THEN
            holds := NULL;
            became := NULL;
        END;
        RETURN NEXT;
    END LOOP;
END
$body$;
