/** How clients connect, in the words of `allowed_connection_types`, the configuration's and a user JWT's. */
export const CONNECTION_TYPES = [
  "STANDARD",
  "WEBSOCKET",
  "LEAFNODE",
  "LEAFNODE_WS",
  "MQTT",
  "MQTT_WS",
  "IN_PROCESS",
] as const;

export type ConnectionType = (typeof CONNECTION_TYPES)[number];
