DELETE FROM votestream.desk_act WHERE election = $1
