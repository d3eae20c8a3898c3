UPDATE votestream.store SET uuid = uuid_send(gen_random_uuid())
