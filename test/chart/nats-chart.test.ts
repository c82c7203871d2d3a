/** Values of the official NATS chart: its whole values.yaml is taken, and what is not here is refused by a sentence. */
import { describe, expect, it } from "vitest";
import { helm, podSpec, render, renderNotes, type Manifest } from "../support/helm.ts";
import { valuesFile, wholeValues } from "../support/nats-chart.ts";

async function config(...sets: string[]): Promise<string> {
  const { manifests } = await render(...sets);
  return manifests.get("ConfigMap/release-shoal-config")!.data!["shoal.conf"]!;
}

const server = (manifests: Map<string, Manifest>): Manifest => manifests.get("StatefulSet/release-shoal")!;

describe("the whole values.yaml of the NATS chart", () => {
  it("is taken, and gives the image of this server", async () => {
    const file = await valuesFile(wholeValues());
    const flags = ["--values", file, "--kube-version", "1.29.0"];
    const text = await helm("template", "release", "helm/shoal", ...flags);
    expect(text).toMatch(/image: shoal:\d/);
    expect(text).not.toMatch(/image: .*nats/);
    expect(await helm("lint", "helm/shoal", "--strict", "--values", file)).toContain("0 chart(s) failed");
  });

  it("says in the notes what of it is not installed", async () => {
    const notes = await renderNotes("--values", await valuesFile(wholeValues()));
    expect(notes).toContain("No nats-box is installed");
    expect(notes).toContain("no reloader container");
    expect(notes).toContain("container.image.repository");
  });

  it("is refused where a part of it is on and was changed", async () => {
    const values = wholeValues();
    const box = values["natsBox"] as { contexts: { default: { creds: { secretName: string | null } } } };
    box.contexts.default.creds.secretName = "creds";
    const file = await valuesFile(values);
    const flags = ["--values", file, "--kube-version", "1.29.0"];
    await expect(helm("template", "release", "helm/shoal", ...flags)).rejects.toThrow(
      /natsBox\.enabled: the chart installs no nats-box\. Set it to false/,
    );
  });
});

describe("a part that is not here", () => {
  const PARTS: readonly (readonly [string, string])[] = [
    ["config.mqtt", "does not speak MQTT"],
    ["config.gateway", "no gateways"],
    ["config.profiling", "no profiling port"],
    ["reloader", "watches its files"],
    ["natsBox", "installs no nats-box"],
  ];

  it.each(PARTS)("%s is taken when it is off, whatever stands beside it", async (path) => {
    const { manifests } = await render(`${path}={"enabled":false,"port":1,"merge":{"a":1}}`);
    expect(manifests.size).toBe((await render()).manifests.size);
  });

  it.each(PARTS)("%s is refused when it is on, with what to do instead", async (path, why) => {
    const error = render(`${path}.enabled=true`);
    await expect(error).rejects.toThrow(`${path}.enabled: `);
    await expect(error).rejects.toThrow(why);
    await expect(error).rejects.toThrow("Set it to false");
    await expect(error).rejects.not.toThrow("additional properties");
  });

  it("is named together with all others", async () => {
    const error = render("config.gateway.enabled=true", "config.mqtt.enabled=true", "natsBox.enabled=true");
    for (const name of ["config.gateway.enabled", "config.mqtt.enabled", "natsBox.enabled"])
      await expect(error).rejects.toThrow(name);
  });

  it.each(["env", "merge", "patch"])("promExporter.%s is refused where the exporter is on", async (key) => {
    const value = key === "patch" ? `[{"op":"remove","path":"/ports"}]` : `{"a":"1"}`;
    await render(`promExporter.${key}=${value}`);
    await expect(render(`promExporter.${key}=${value}`, "promExporter.enabled=true")).rejects.toThrow(
      `promExporter.${key}: there is no exporter container`,
    );
  });

  it("nats-server's image, is refused by its full name", async () => {
    await expect(render(`container.image.fullImageName="reg.io/nats:2.14.2-alpine"`)).rejects.toThrow(
      "container.image.fullImageName: this is the image of nats-server",
    );
    const { text } = await render(
      `container.image={"repository":"nats","tag":"2.14.2-alpine","digest":"sha256:1"}`,
      `global.image.registry="reg.io"`,
    );
    expect(text).toMatch(/image: reg\.io\/shoal:\d[.\d]*$/m);
  });
});

describe("ports", () => {
  it("of the container take further fields, and those of absent listeners are taken", async () => {
    const { manifests } = await render(`container.ports={"nats":{"hostPort":4222},"mqtt":{"hostPort":1883}}`);
    const [container] = podSpec(server(manifests))!.containers;
    expect(container!.ports).toEqual([
      { name: "nats", containerPort: 4222, hostPort: 4222 },
      { name: "cluster", containerPort: 6222 },
      { name: "monitor", containerPort: 8222 },
    ]);
  });

  it("of the Service take further fields, and those of absent listeners are taken", async () => {
    const { manifests } = await render(
      `service.ports={"nats":{"nodePort":30422,"port":14222},"monitor":{"enabled":true},"mqtt":{"enabled":true,"nodePort":1}}`,
    );
    expect(manifests.get("Service/release-shoal")!.spec!.ports).toEqual([
      { name: "nats", appProtocol: "tcp", targetPort: "nats", port: 14222, nodePort: 30422 },
      { name: "monitor", appProtocol: "http", targetPort: "monitor", port: 8222 },
    ]);
  });
});

describe("credentials of routes", () => {
  const secret = "Secret/release-shoal-routes";
  const env = async (...sets: string[]): Promise<Map<string, string | undefined>> => {
    const { manifests } = await render(...sets);
    const [container] = podSpec(server(manifests))!.containers;
    return new Map(container!.env!.map(({ name, value }) => [name, value]));
  };
  const GIVEN = { user: "ruser", password: "p@ss/w rd%" };
  const WAYS = [
    `config.cluster.routeURLs=${JSON.stringify(GIVEN)}`,
    `config.cluster.merge={"authorization":${JSON.stringify(GIVEN)}}`,
    `config.merge={"cluster":{"authorization":${JSON.stringify(GIVEN)}}}`,
    `config.cluster.patch=[{"op":"add","path":"/authorization","value":${JSON.stringify(GIVEN)}}]`,
  ];

  it.each(WAYS)("given by %s are in the Secret alone, and in the URLs of routes", async (way) => {
    const { manifests } = await render(way);
    expect(manifests.get(secret)!.stringData).toEqual({
      ...GIVEN,
      userinfo: "ruser:p%40ss%2Fw%20rd%25",
    });
    expect(await config(way)).not.toMatch(/ruser|authorization/);
    const url = (await env(way)).get("SHOAL__CLUSTER__ROUTES");
    expect(url).toBe("nats://$(ROUTE_USERINFO)@release-shoal-headless:6222");
  });

  it("leave the rest of the authorization where it is", async () => {
    const text = await config(
      `config.cluster.merge={"authorization":{"user":"a","password":"b","timeout":3}}`,
    );
    expect(JSON.parse(text)).toMatchObject({ cluster: { authorization: { timeout: 3 } } });
    expect(text).not.toContain("password");
  });

  it.each([
    [`{"user":"a"}`, [], "both a user and a password"],
    [`{"user":"a","password":"<< $P >>"}`, [], "config.cluster.authorization.existingSecret"],
    [`{"user":"a","password":"b"}`, [`config.cluster.authorization.existingSecret="s"`], "keep one of them"],
    [`{"user":"a","password":"b"}`, ["config.cluster.authorization.enabled=false"], "keep one of them"],
    [
      `{"user":"a","password":"b"}`,
      [`config.cluster.routeURLs={"user":"a","password":"c"}`],
      "different credentials",
    ],
  ])("%s are refused where something else contradicts: %s", async (block, sets, words) => {
    await expect(render(`config.cluster.merge={"authorization":${block}}`, ...sets)).rejects.toThrow(words);
  });

  it("go to the whole name of the Service where that is asked for", async () => {
    const url = (
      await env("config.cluster.routeURLs.useFQDN=true", `config.cluster.routeURLs.k8sClusterDomain="c.org"`)
    ).get("SHOAL__CLUSTER__ROUTES");
    expect(url).toMatch(/@release-shoal-headless\.ns\.svc\.c\.org:6222$/);
  });
});

describe("the time to leave", () => {
  const graceSeconds = async (...sets: string[]): Promise<number> =>
    podSpec(server((await render(...sets)).manifests))!.terminationGracePeriodSeconds;

  it.each([
    [`config.merge={"lame_duck_duration":"90s"}`, 105],
    [`config.merge={"lame_duck_duration":"<< 1m30s >>","lame_duck_grace_period":"1500ms"}`, 102],
    [`config.patch=[{"op":"replace","path":"/lame_duck_duration","value":"2m"}]`, 135],
  ])("follows %s", async (set, seconds) => {
    expect(await graceSeconds(set)).toBe(seconds);
  });

  it("leaves the grace period to the server where the duration is shorter", async () => {
    const text = await config(`config.merge={"lame_duck_duration":"3s"}`);
    expect(JSON.parse(text)).toMatchObject({ lame_duck_duration: "3s" });
    expect(text).not.toContain("lame_duck_grace_period");
  });

  it.each([`"<< $LONG >>"`, "30", `"soon"`])("cannot be %s", async (value) => {
    await expect(render(`config.merge={"lame_duck_duration":${value}}`)).rejects.toThrow(
      "config.merge.lame_duck_duration",
    );
  });
});

describe("includes and templates", () => {
  it("keys that end in $include become include directives, in their order", async () => {
    const text = await config(
      `config.merge={"$include":"./first.conf","zz$include":"last.conf","accounts":{"A":{"users$include":"a.conf"}}}`,
    );
    expect(text.split("\n").map((line) => line.trim())).toEqual(
      expect.arrayContaining([`include "./first.conf";`, `include "a.conf";`, `include "last.conf";`]),
    );
    expect(text.indexOf("first.conf")).toBeLessThan(text.indexOf(`"port"`));
    expect(text.indexOf("last.conf")).toBeGreaterThan(text.indexOf(`"port"`));
  });

  it("$tplYaml gives way to what the template gives, for scalars, maps and lists", async () => {
    const { manifests } = await render(
      `service.name={"$tplYaml":"{{ include \\"nats.fullname\\" . }}-svc\\n"}`,
      `statefulSet.labels={"$tplYaml":"mine: {{ .Release.Name | quote }}"}`,
      `networkPolicy.clientsFrom=[{"$tplYamlSpread":"- podSelector: {matchLabels: {a: {{ .Values.statefulSet.name | quote }}}}\\n- podSelector: {}"}]`,
      `extraResources=[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":{"$tplYaml":"{{ .Values.headlessService.name }}-more"},"labels":{"$tplYaml":"{{ include \\"nats.labels\\" $ }}"}}}]`,
    );
    expect(manifests.has("Service/release-shoal-svc")).toBe(true);
    expect(server(manifests).metadata.labels).toMatchObject({ mine: "release" });
    expect(JSON.stringify(manifests.get("NetworkPolicy/release-shoal")!.spec)).toContain(
      `"from":[{"podSelector":{"matchLabels":{"a":"release-shoal"}}},{"podSelector":{}},`,
    );
    const more = manifests.get("ConfigMap/release-shoal-headless-more")!;
    expect(more.metadata.labels["app.kubernetes.io/instance"]).toBe("release");
  });

  it("named templates of the NATS chart that are not here are refused by name", async () => {
    await expect(
      render(`service.name={"$tplYaml":"{{ include \\"nats.tlsCAVolume\\" . }}"}`),
    ).rejects.toThrow(/values\.service\.name: include "nats\.tlsCAVolume"/);
  });
});
