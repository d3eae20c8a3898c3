#!/bin/bash
# Formats the data volume when it is empty, then becomes the broker.
set -euo pipefail
here=/etc/votestream/kafka
if [ ! -e /var/lib/kafka/data/meta.properties ]; then
  id=$(/opt/kafka/bin/kafka-storage.sh random-uuid)
  /opt/kafka/bin/kafka-storage.sh format --cluster-id "$id" --config "$here/server.properties"
fi
exec /opt/kafka/bin/kafka-server-start.sh "$here/server.properties"
