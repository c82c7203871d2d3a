{{/* The configuration file, as JSON in the format of nats-server; "<< $NAME >>" loses its quotes. */}}
{{- define "shoal.config" -}}
  {{- $values := .Values.config -}}
  {{- $config := dict "port" $values.nats.port
        "lame_duck_grace_period" (printf "%ds" (int $values.lameDuck.gracePeriodSeconds))
        "lame_duck_duration" (printf "%ds" (int $values.lameDuck.durationSeconds)) -}}
  {{- if $values.nats.tls.enabled -}}
    {{- $_ := set $config "tls" (include "shoal.tls" (dict "ctx" . "of" $values.nats.tls) | fromJson) -}}
  {{- end -}}
  {{- if $values.monitor.enabled -}}
    {{- $_ := set $config (ternary "https_port" "http_port" $values.monitor.tls.enabled) $values.monitor.port -}}
  {{- end -}}
  {{- if .Values.promExporter.enabled -}}
    {{- $_ := set $config "metrics" (dict "port" .Values.promExporter.port) -}}
  {{- end -}}
  {{- if include "shoal.hasUsers" . -}}
    {{- $_ := set $config "authorization" (dict "users_dir" "/etc/shoal/users") -}}
  {{- end -}}
  {{- if $values.cluster.enabled -}}
    {{- $_ := set $config "cluster" (include "shoal.part" (dict "of" $values.cluster "doc" (include "shoal.clusterConfig" . | fromJson)) | fromJson) -}}
  {{- end -}}
  {{- $text := include "shoal.part" (dict "of" $values "doc" $config) | fromJson | toPrettyJson -}}
  {{- $text = $text | replace "\\u003c" "<" | replace "\\u003e" ">" | replace "\\u0026" "&" -}}
  {{- regexReplaceAll "\"<<\\s+(.*?)\\s+>>\"" $text "${1}" -}}
{{- end -}}

{{- define "shoal.clusterConfig" -}}
  {{- $values := .Values.config -}}
  {{- $cluster := dict "name" ($values.cluster.name | default (include "shoal.fullname" .))
        "port" $values.cluster.port
        "no_advertise" $values.cluster.noAdvertise -}}
  {{- if $values.cluster.tls.enabled -}}
    {{- $_ := set $cluster "tls" (include "shoal.tls" (dict "ctx" . "of" $values.cluster.tls) | fromJson) -}}
  {{- end -}}
  {{- if $values.zoneAware -}}
    {{- $_ := set $cluster "queue_preference" "zone" -}}
  {{- end -}}
  {{- if $values.endpointSlices.enabled -}}
    {{- $_ := set $cluster "discovery" (dict "kubernetes" (dict "service" (include "shoal.headlessName" .) "port_name" "cluster")) -}}
  {{- end -}}
  {{- toJson $cluster -}}
{{- end -}}

{{- define "shoal.tls" -}}
  {{- $tls := dict "cert_file" (printf "%s/%s" .of.dir .of.cert) "key_file" (printf "%s/%s" .of.dir .of.key) -}}
  {{- with .ctx.Values.tlsCA -}}
    {{- if .enabled -}}{{- $_ := set $tls "ca_file" (printf "%s/%s" .dir .key) -}}{{- end -}}
  {{- end -}}
  {{- include "shoal.part" (dict "of" .of "doc" $tls) -}}
{{- end -}}
