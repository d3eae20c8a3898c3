INSERT INTO votestream.store (one, uuid, created_ms) VALUES (true, uuid_send(gen_random_uuid()), $1)
