{{- define "shoal.name" -}}
  {{- .Values.nameOverride | default .Chart.Name -}}
{{- end -}}

{{- define "shoal.chart" -}}
  {{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" -}}
{{- end -}}

{{- define "shoal.fullname" -}}
  {{- $name := include "shoal.name" . -}}
  {{- if .Values.fullnameOverride -}}
    {{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
  {{- else if contains $name .Release.Name -}}
    {{- .Release.Name | trunc 52 | trimSuffix "-" -}}
  {{- else -}}
    {{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
  {{- end -}}
{{- end -}}

{{- define "shoal.namespace" -}}
  {{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "shoal.selector" -}}
app.kubernetes.io/name: {{ include "shoal.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{/* Labels of the pod of helm test, which is none of the servers. */}}
{{- define "shoal.testSelector" -}}
app.kubernetes.io/name: {{ include "shoal.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end -}}

{{- define "shoal.labels" -}}
helm.sh/chart: {{ include "shoal.chart" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "shoal.selector" . }}
{{- with .Values.global.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
A resource with what values say of it. Takes dict "ctx" $ "of" VALUES "name" NAME "yaml" TEXT; TEXT has apiVersion, kind and
what is the resource's own.
*/}}
{{- define "shoal.resource" -}}
  {{- $own := .yaml | fromYaml -}}
  {{- if hasKey $own "Error" -}}{{- fail (printf "%s\n%s" $own.Error .yaml) -}}{{- end -}}
  {{- $metadata := dict "name" (.of.name | default .name) "namespace" (include "shoal.namespace" .ctx) -}}
  {{- $_ := set $metadata "labels" (mustMergeOverwrite (include "shoal.labels" .ctx | fromYaml) (.of.labels | default dict)) -}}
  {{- with .of.annotations -}}{{- $_ := set $metadata "annotations" . -}}{{- end -}}
  {{- $doc := mustMergeOverwrite (dict "metadata" $metadata) $own (.of.merge | default dict | deepCopy) -}}
  {{- include "shoal.patch" (dict "doc" $doc "patch" (.of.patch | default list)) | fromJson | toYaml -}}
{{- end -}}

{{/* A part of a resource or of the configuration, merged and patched. Takes dict "of" VALUES "doc" PART, gives JSON. */}}
{{- define "shoal.part" -}}
  {{- include "shoal.patch" (dict "doc" (mustMergeOverwrite (deepCopy .doc) (deepCopy (.of.merge | default dict))) "patch" (.of.patch | default list)) -}}
{{- end -}}

{{- define "shoal.headlessName" -}}
  {{- .Values.headlessService.name | default (printf "%s-headless" (include "shoal.fullname" .)) -}}
{{- end -}}

{{- define "shoal.serviceName" -}}
  {{- .Values.service.name | default (include "shoal.fullname" .) -}}
{{- end -}}

{{- define "shoal.workloadName" -}}
  {{- .Values.statefulSet.name | default (include "shoal.fullname" .) -}}
{{- end -}}

{{- define "shoal.configMapName" -}}
  {{- .Values.configMap.name | default (printf "%s-config" (include "shoal.fullname" .)) -}}
{{- end -}}

{{- define "shoal.hasServiceAccount" -}}
  {{- if or .Values.serviceAccount.enabled (include "shoal.asksKubernetes" .) -}}true{{- end -}}
{{- end -}}

{{/* Whether servers ask the API server for anything. */}}
{{- define "shoal.asksKubernetes" -}}
  {{- if or .Values.config.endpointSlices.enabled (include "shoal.leavesForGood" .) -}}true{{- end -}}
{{- end -}}

{{/* Whether a pod that the StatefulSet no longer wants moves its streams to the others. */}}
{{- define "shoal.leavesForGood" -}}
  {{- $config := .Values.config -}}
  {{- if and $config.jetstream.enabled $config.jetstream.leave.enabled $config.cluster.enabled -}}true{{- end -}}
{{- end -}}

{{- define "shoal.serviceAccountName" -}}
  {{- .Values.serviceAccount.name | default (include "shoal.fullname" .) -}}
{{- end -}}

{{- define "shoal.routeSecretName" -}}
  {{- .Values.config.cluster.authorization.existingSecret | default (printf "%s-routes" (include "shoal.fullname" .)) -}}
{{- end -}}

{{- define "shoal.usersSecretName" -}}
  {{- .Values.auth.existingSecret | default (printf "%s-users" (include "shoal.fullname" .)) -}}
{{- end -}}

{{- define "shoal.hasUsers" -}}
  {{- if or .Values.auth.users .Values.auth.existingSecret -}}true{{- end -}}
{{- end -}}

{{/* "other" where values of the NATS chart name the image of nats-server, which says nothing of the one to run here. */}}
{{- define "shoal.namesOtherImage" -}}
  {{- if and (not .Values.container.image.fullImageName) (regexMatch "^(docker\\.io/)?(library/)?nats$" (.Values.container.image.repository | default "")) -}}other{{- end -}}
{{- end -}}

{{- define "shoal.image" -}}
  {{- $image := .Values.container.image -}}
  {{- if $image.fullImageName -}}
    {{- $image.fullImageName -}}
  {{- else -}}
    {{- if include "shoal.namesOtherImage" . -}}
      {{- $image = dict "registry" $image.registry "repository" "shoal" -}}
    {{- end -}}
    {{- with $image.registry | default .Values.global.image.registry -}}{{ . }}/{{- end -}}
    {{- $image.repository | default "shoal" -}}:{{- $image.tag | default .Chart.AppVersion -}}
    {{- with $image.digest -}}@{{ . }}{{- end -}}
  {{- end -}}
{{- end -}}

{{/* The Secret with the certificate of "nats" or "cluster". Takes dict "ctx" $ "for" NAME. */}}
{{- define "shoal.tlsSecretName" -}}
  {{- $tls := (get .ctx.Values.config .for).tls -}}
  {{- if $tls.secretName -}}
    {{- $tls.secretName -}}
  {{- else if .ctx.Values.certManager.enabled -}}
    {{- printf "%s-%s-tls" (include "shoal.fullname" .ctx) .for -}}
  {{- else -}}
    {{- fail (printf "config.%s.tls.enabled needs config.%s.tls.secretName, or certManager.enabled" .for .for) -}}
  {{- end -}}
{{- end -}}
