#!/usr/bin/env bash
# Tests with curl and jq that an event reaches a receiver although it was down: for a CI job in any language.
# Your receiver runs at $RECEIVER, knows the secret scsec_ci, and in this example answers 5xx to the first two requests.
set -euo pipefail

RECEIVER=${RECEIVER:-http://127.0.0.1:8000/webhooks/swiftclaw}
PORT=${PORT:-7420}
A=127.0.0.1:$PORT
export SWIFTCLAW_API_URL=http://$A

swiftclaw serve --ephemeral --clock manual --port "$PORT" --secret scsec_ci --log-format json > swiftclaw.log 2>&1 &
PID=$!
trap 'kill $PID' EXIT
swiftclaw ready --wait 10s

curl -s --fail-with-body "$A/v1/agents/my-agent/webhooks" --json "{\"url\": \"$RECEIVER\", \"events\": [\"agent.completed\"]}"
echo

# the first send: answered when the receiver has answered
D=$(curl -s --fail-with-body "$A/v1/agents/my-agent/events?wait=first" --json '{"type": "agent.completed", "data": {"tokens_used": 450}}' | jq -r '.deliveries[0].id')

# the retries that are due after 1m and after 5m more
curl -s --fail-with-body "$A/_local/clock/advance" --json '{"by": "6m"}'
echo

# a wait in vain answers 409 with the whole timeline, so that the log explains itself
curl -s --fail-with-body "$A/v1/deliveries/$D?wait=settled&timeout=5s" | jq -e '.state == "delivered" and .sends == 3'

# and the whole contract: signatures, raw bytes, broken JSON, duplicates; DUP-2 and DUP-3, "processed once", need --effects-url
swiftclaw certify my-agent webhook-123 --junit certify.xml --require SIG,RAW,JSON,DUP-1
