/** What servers say of nats-server's switches for JetStream; there is none here. */
export const FEATURE_FLAGS = {
  js_ack_fc_v2: false,
  js_api_reply_v2: false,
  js_raft_delete_range: false,
  js_snapshot_sources: false,
};
