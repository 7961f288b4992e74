-- What the demo says is looked up, not believed: an error ends it.

CREATE FUNCTION promise(what text, holds boolean) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION 'this does not hold: %', what;
    END IF;
    RETURN 'ok: ' || what;
END $$;
