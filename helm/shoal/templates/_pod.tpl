{{- define "shoal.podTemplate" -}}
  {{- $labels := mustMergeOverwrite (include "shoal.labels" . | fromYaml) (.Values.podTemplate.labels | default dict) -}}
  {{- $annotations := deepCopy (.Values.podTemplate.annotations | default dict) -}}
  {{- if .Values.podTemplate.configChecksumAnnotation -}}
    {{- /* how many servers began to keep streams together means nothing to those that have begun */ -}}
    {{- $_ := set $annotations "checksum/config" (regexReplaceAll "\"cluster_size\": [0-9]+" (include "shoal.config" .) "" | sha256sum) -}}
  {{- end -}}
  {{- $metadata := dict "labels" $labels -}}
  {{- with $annotations -}}{{- $_ := set $metadata "annotations" . -}}{{- end -}}
  {{- $template := dict "metadata" $metadata "spec" (include "shoal.podSpec" . | fromYaml) -}}
  {{- include "shoal.part" (dict "of" .Values.podTemplate "doc" $template) -}}
{{- end -}}

{{- define "shoal.podSpec" -}}
{{- $leave := include "shoal.configDoc" . | fromJson | include "shoal.leave" | fromJson }}
# the time to leave, and what closing takes
terminationGracePeriodSeconds: {{ add (ceil (divf (addf $leave.graceMs $leave.durationMs $leave.streamsMs) 1000)) 10 }}
serviceAccountName: {{ if include "shoal.hasServiceAccount" . }}{{ include "shoal.serviceAccountName" . }}{{ else }}default{{ end }}
automountServiceAccountToken: {{ include "shoal.asksKubernetes" . | eq "true" }}
enableServiceLinks: false
{{- with .Values.global.image.pullSecretNames }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
{{- if or .Values.config.jetstream.enabled (include "shoal.resolverClaim" .) }}
  # the volume's files belong to the server already, however many there are
  fsGroupChangePolicy: OnRootMismatch
{{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.podTemplate.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range $key, $constraint := . }}
  - topologyKey: {{ $key }}
    labelSelector:
      matchLabels:
        {{- include "shoal.selector" $ | nindent 8 }}
    {{- toYaml $constraint | nindent 4 }}
{{- end }}
{{- end }}
containers:
  - {{ include "shoal.serverContainer" . }}
volumes:
  - name: config
    configMap:
      name: {{ include "shoal.configMapName" . }}
{{- if include "shoal.hasUsers" . }}
  - name: users
    secret:
      secretName: {{ include "shoal.usersSecretName" . }}
{{- end }}
{{- if .Values.config.nats.tls.enabled }}
  - name: nats-tls
    secret:
      secretName: {{ include "shoal.tlsSecretName" (dict "ctx" . "for" "nats") }}
{{- end }}
{{- if and .Values.config.websocket.enabled .Values.config.websocket.tls.enabled }}
  - name: websocket-tls
    secret:
      secretName: {{ include "shoal.tlsSecretName" (dict "ctx" . "for" "websocket") }}
{{- end }}
{{- if and .Values.config.leafnodes.enabled .Values.config.leafnodes.tls.enabled }}
  - name: leafnodes-tls
    secret:
      secretName: {{ include "shoal.tlsSecretName" (dict "ctx" . "for" "leafnodes") }}
{{- end }}
{{- range (include "shoal.leafMounts" . | fromJson).mounts }}
  - name: {{ .name }}
    secret:
      secretName: {{ .secretName }}
{{- end }}
{{- if and .Values.config.cluster.enabled .Values.config.cluster.tls.enabled }}
  - name: cluster-tls
    secret:
      secretName: {{ include "shoal.tlsSecretName" (dict "ctx" . "for" "cluster") }}
{{- end }}
{{- with .Values.config.jetstream }}
{{- if and .enabled .fileStore.enabled (not (include "shoal.streamClaim" $)) }}
  - name: streams
    emptyDir: {}
{{- end }}
{{- end }}
{{- if include "shoal.hasOperator" . }}
{{- with .Values.config.operator }}
  - name: operator
    {{- if .configMapName }}
    configMap:
      name: {{ .configMapName }}
    {{- else }}
    secret:
      secretName: {{ .secretName }}
    {{- end }}
{{- end }}
{{- end }}
{{- if and .Values.config.resolver.enabled (not (include "shoal.resolverClaim" .)) }}
  - name: resolver
    emptyDir: {}
{{- end }}
{{- with .Values.tlsCA }}
{{- if .enabled }}
  - name: tls-ca
    {{- if .configMapName }}
    configMap:
      name: {{ .configMapName }}
    {{- else }}
    secret:
      secretName: {{ required "tlsCA.enabled needs tlsCA.configMapName or tlsCA.secretName" .secretName }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "shoal.container" -}}
{{- $config := .Values.config }}
name: shoal
image: {{ include "shoal.image" . }}
{{- with .Values.container.image.pullPolicy | default .Values.global.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
args: ["--config", "/etc/shoal/config/shoal.conf"]
ports:
{{- range $name := list "nats" "websocket" "leafnodes" "cluster" "monitor" }}
{{- $port := get $config $name }}
{{- if or (eq $name "nats") $port.enabled }}
  - {{ mustMerge (dict "name" $name "containerPort" $port.port) (deepCopy (get $.Values.container.ports $name | default dict)) | toJson }}
{{- end }}
{{- end }}
{{- if .Values.promExporter.enabled }}
  - name: prom-metrics
    containerPort: {{ .Values.promExporter.port }}
{{- end }}
env:
  {{- include "shoal.env" . | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- with .Values.container.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $config.monitor.enabled }}
# nothing is asked of a shell, nothing is copied: three questions to the server itself
startupProbe:
  httpGet: {{ include "shoal.probe" (list . "/startupz") }}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 90
readinessProbe:
  httpGet: {{ include "shoal.probe" (list . "/readyz") }}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 1
livenessProbe:
  httpGet: {{ include "shoal.probe" (list . "/livez") }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/shoal/config
    readOnly: true
{{- if include "shoal.hasUsers" . }}
  - name: users
    mountPath: /etc/shoal/users
    readOnly: true
{{- end }}
{{- if $config.nats.tls.enabled }}
  - name: nats-tls
    mountPath: {{ $config.nats.tls.dir }}
    readOnly: true
{{- end }}
{{- if and $config.websocket.enabled $config.websocket.tls.enabled }}
  - name: websocket-tls
    mountPath: {{ $config.websocket.tls.dir }}
    readOnly: true
{{- end }}
{{- if and $config.leafnodes.enabled $config.leafnodes.tls.enabled }}
  - name: leafnodes-tls
    mountPath: {{ $config.leafnodes.tls.dir }}
    readOnly: true
{{- end }}
{{- range (include "shoal.leafMounts" . | fromJson).mounts }}
  - name: {{ .name }}
    mountPath: {{ .path }}
    readOnly: true
{{- end }}
{{- if and $config.cluster.enabled $config.cluster.tls.enabled }}
  - name: cluster-tls
    mountPath: {{ $config.cluster.tls.dir }}
    readOnly: true
{{- end }}
{{- if and $config.jetstream.enabled $config.jetstream.fileStore.enabled }}
  - name: {{ include "shoal.streamClaim" . | default "streams" }}
    mountPath: {{ $config.jetstream.fileStore.dir }}
{{- end }}
{{- if include "shoal.hasOperator" . }}
  - name: operator
    mountPath: {{ $config.operator.dir }}
    readOnly: true
{{- end }}
{{- if $config.resolver.enabled }}
  - name: {{ include "shoal.resolverClaim" . | default "resolver" }}
    mountPath: {{ $config.resolver.dir }}
{{- end }}
{{- if .Values.tlsCA.enabled }}
  - name: tls-ca
    mountPath: {{ .Values.tlsCA.dir }}
    readOnly: true
{{- end }}
{{- end -}}

{{- define "shoal.probe" -}}
{{- $ctx := index . 0 -}}
{path: {{ index . 1 }}, port: monitor{{ if $ctx.Values.config.monitor.tls.enabled }}, scheme: HTTPS{{ end }}}
{{- end -}}

{{- define "shoal.env" -}}
{{- $config := .Values.config -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: SHOAL__SERVER_NAME
  value: {{ printf "%s$(POD_NAME)" $config.serverNamePrefix | quote }}
{{- if $config.cluster.enabled }}
{{- if $config.cluster.authorization.enabled }}
{{- range list "user" "password" }}
- name: SHOAL__CLUSTER__AUTHORIZATION__{{ upper . }}
  valueFrom:
    secretKeyRef:
      name: {{ include "shoal.routeSecretName" $ }}
      key: {{ . }}
{{- end }}
{{- if include "shoal.givenCredentials" . | fromJson }}
- name: ROUTE_USERINFO
  valueFrom:
    secretKeyRef:
      name: {{ include "shoal.routeSecretName" . }}
      key: userinfo
{{- end }}
{{- end }}
{{- end }}
{{- range $i, $remote := $config.leafnodes.remotes }}
{{- with $remote.urlSecret }}
- name: SHOAL_LEAF_{{ $i }}_URL
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key | default "url" }}
{{- end }}
{{- with $remote.nkey }}
- name: SHOAL_LEAF_{{ $i }}_NKEY
  valueFrom:
    secretKeyRef:
      name: {{ .secretName }}
      key: {{ .key | default "nats.nk" }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.container.env }}
- name: {{ $name }}
  {{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
  {{- else }}
  value: {{ $value | toString | quote }}
  {{- end }}
{{- end }}
{{- if $config.cluster.enabled }}
# after the variables that it may name
- name: SHOAL__CLUSTER__ROUTES
  value: {{ include "shoal.routes" . | quote }}
{{- if $config.zoneAware }}
- name: SHOAL__CLUSTER__ZONE
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['topology.kubernetes.io/zone']
{{- end }}
{{- end }}
{{- if .Values.external.enabled }}
{{- with .Values.external.advertise }}
- name: SHOAL__CLIENT_ADVERTISE
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What stands before the host in URLs of routes: the credentials and an @, or nothing. */}}
{{- define "shoal.routeUserinfo" -}}
  {{- $given := include "shoal.givenCredentials" . | fromJson -}}
  {{- if .Values.config.cluster.authorization.enabled -}}
    {{- if $given -}}
      $(ROUTE_USERINFO)@
    {{- else -}}
      $(SHOAL__CLUSTER__AUTHORIZATION__USER):$(SHOAL__CLUSTER__AUTHORIZATION__PASSWORD)@
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* The name that the servers of the release find each other by. */}}
{{- define "shoal.routeHost" -}}
  {{- include "shoal.headlessName" . -}}
  {{- with .Values.config.cluster.routeURLs -}}
    {{- if .useFQDN -}}
      {{- printf ".%s.svc.%s" (include "shoal.namespace" $) (.k8sClusterDomain | default "cluster.local") -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* The other servers of the release, then config.cluster.extraRoutes; those without credentials get the cluster's. */}}
{{- define "shoal.routes" -}}
  {{- $cluster := .Values.config.cluster -}}
  {{- $routes := list -}}
  {{- range prepend $cluster.extraRoutes (printf "%s:%v" (include "shoal.routeHost" .) $cluster.port) -}}
    {{- $scheme := regexFind "^[a-z+-]+://" . -}}
    {{- $rest := trimPrefix $scheme . -}}
    {{- if not (contains "@" $rest) -}}
      {{- $rest = printf "%s%s" (include "shoal.routeUserinfo" $) $rest -}}
    {{- end -}}
    {{- $routes = append $routes (printf "%s%s" ($scheme | default "nats://") $rest) -}}
  {{- end -}}
  {{- join "," $routes -}}
{{- end -}}

{{/*
The container as values make it, as JSON. A variable that is there twice, or that sets what the configuration file sets, is refused:
of two entries of one name an upgrade removes both when one of them goes, and Kubernetes says nothing.
*/}}
{{- define "shoal.serverContainer" -}}
  {{- $container := include "shoal.part" (dict "of" .Values.container "doc" (include "shoal.container" . | fromYaml)) | fromJson -}}
  {{- $config := include "shoal.configDoc" . | fromJson -}}
  {{- with $config.cluster -}}
    {{- /* its credentials go to the Secret */ -}}
    {{- $_ := set . "authorization" (omit (.authorization | default dict) "user" "password") -}}
  {{- end -}}
  {{- $instead := dict
        "POD_NAME" "the name of the pod is the only value that fits"
        "SHOAL__SERVER_NAME" "config.serverNamePrefix changes it"
        "SHOAL__CLIENT_ADVERTISE" "external.advertise sets it"
        "SHOAL__CLUSTER__ZONE" "config.zoneAware sets it"
        "SHOAL__CLUSTER__ROUTES" "routes to other servers belong into config.cluster.extraRoutes"
        "SHOAL__CLUSTER__AUTHORIZATION__USER" "config.cluster.routeURLs or config.cluster.authorization.existingSecret give credentials"
        "SHOAL__CLUSTER__AUTHORIZATION__PASSWORD" "config.cluster.routeURLs or config.cluster.authorization.existingSecret give credentials" -}}
  {{- $seen := dict -}}
  {{- range $container.env -}}
    {{- $advice := get $instead .name | default "keep one of them" -}}
    {{- if hasKey $seen .name -}}
      {{- fail (printf "the variable %s is given twice, by the chart and by container.env, container.merge or container.patch, or in one of them: %s" .name $advice) -}}
    {{- end -}}
    {{- $_ := set $seen .name true -}}
    {{- if hasPrefix "SHOAL__" .name -}}
      {{- $keys := .name | trimPrefix "SHOAL__" | lower | splitList "__" -}}
      {{- $node := $config -}}
      {{- range $keys -}}
        {{- $node = ternary (get (ternary $node dict (kindIs "map" $node)) .) nil (and (kindIs "map" $node) (hasKey (ternary $node dict (kindIs "map" $node)) .)) -}}
      {{- end -}}
      {{- if not (kindIs "invalid" $node) -}}
        {{- fail (printf "the variable %s and the configuration file both set %s: %s" .name (join "." $keys) (get $instead .name | default "say it once, in values of config")) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- toJson $container -}}
{{- end -}}
