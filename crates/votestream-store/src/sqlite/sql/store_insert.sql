INSERT INTO store (one, uuid, created_ms) VALUES (1, ?1, ?2)
