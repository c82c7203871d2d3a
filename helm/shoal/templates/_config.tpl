{{/*
The configuration file, as JSON in the format of nats-server. Texts "<< $NAME >>" and "<< 2MB >>" lose their quotes, and a key that
ends in $include becomes an include directive, as in the NATS chart. Credentials of routes are left out: they come from the Secret.
*/}}
{{- define "shoal.config" -}}
  {{- $config := include "shoal.configDoc" . | fromJson -}}
  {{- with ($config.cluster | default dict).authorization -}}
    {{- $rest := omit . "user" "username" "password" "pass" -}}
    {{- if $rest -}}
      {{- $_ := set $config.cluster "authorization" $rest -}}
    {{- else -}}
      {{- $_ := unset $config.cluster "authorization" -}}
    {{- end -}}
  {{- end -}}
  {{- $text := toPrettyJson $config -}}
  {{- $text = $text | replace "\\u003c" "<" | replace "\\u003e" ">" | replace "\\u0026" "&" -}}
  {{- $text = regexReplaceAll "\"<<\\s+(.*?)\\s+>>\"" $text "${1}" -}}
  {{- regexReplaceAll "(?m)^(\\s*)\"[^\"]*\\$include\": (\".*\"),?$" $text "${1}include ${2};" -}}
{{- end -}}

{{/* The whole configuration with what is merged and patched, credentials of routes included. Gives JSON. */}}
{{- define "shoal.configDoc" -}}
  {{- $values := .Values.config -}}
  {{- $config := dict "port" $values.nats.port
        "lame_duck_grace_period" (printf "%ds" (int $values.lameDuck.gracePeriodSeconds))
        "lame_duck_duration" (printf "%ds" (int $values.lameDuck.durationSeconds)) -}}
  {{- if $values.nats.tls.enabled -}}
    {{- $_ := set $config "tls" (include "shoal.tls" (dict "ctx" . "of" $values.nats.tls) | fromJson) -}}
  {{- end -}}
  {{- if $values.websocket.enabled -}}
    {{- $_ := set $config "websocket" (include "shoal.part" (dict "of" $values.websocket "doc" (include "shoal.websocketConfig" . | fromJson)) | fromJson) -}}
  {{- end -}}
  {{- if or $values.leafnodes.enabled $values.leafnodes.remotes -}}
    {{- $_ := set $config "leafnodes" (include "shoal.part" (dict "of" $values.leafnodes "doc" (include "shoal.leafnodesConfig" . | fromJson)) | fromJson) -}}
  {{- end -}}
  {{- if $values.monitor.enabled -}}
    {{- $_ := set $config (ternary "https_port" "http_port" $values.monitor.tls.enabled) $values.monitor.port -}}
  {{- end -}}
  {{- if .Values.promExporter.enabled -}}
    {{- $_ := set $config "metrics" (dict "port" .Values.promExporter.port "jetstream_prefix" "nats") -}}
  {{- end -}}
  {{- if include "shoal.hasUsers" . -}}
    {{- $_ := set $config "authorization" (dict "users_dir" "/etc/shoal/users") -}}
  {{- end -}}
  {{- if $values.cluster.enabled -}}
    {{- $_ := set $config "cluster" (include "shoal.part" (dict "of" $values.cluster "doc" (include "shoal.clusterConfig" . | fromJson)) | fromJson) -}}
  {{- end -}}
  {{- if $values.jetstream.enabled -}}
    {{- $_ := set $config "jetstream" (include "shoal.part" (dict "of" $values.jetstream "doc" (include "shoal.jetstreamConfig" . | fromJson)) | fromJson) -}}
  {{- end -}}
  {{- $config = merge $config (include "shoal.operatorConfig" . | fromJson) -}}
  {{- $config = include "shoal.part" (dict "of" $values "doc" $config) | fromJson -}}
  {{- if and $values.jetstream.enabled $values.cluster.enabled (not ($config.jetstream | default dict).cluster_size) -}}
    {{- fail "config.cluster.extraRoutes: with servers of other releases the chart does not know how many begin to keep streams together. Set config.jetstream.merge.cluster_size to the number of all of them" -}}
  {{- end -}}
  {{- $leave := include "shoal.leave" $config | fromJson -}}
  {{- /* the chart's own grace period gives way to a shorter duration, of which the server then takes a third */ -}}
  {{- if and (ge $leave.graceMs $leave.durationMs) (not (hasKey ($values.merge | default dict) "lame_duck_grace_period")) -}}
    {{- $config = omit $config "lame_duck_grace_period" -}}
  {{- end -}}
  {{- toJson $config -}}
{{- end -}}

{{/* How long leaving takes by a configuration, as {"graceMs": N, "durationMs": N, "streamsMs": N}. */}}
{{- define "shoal.leave" -}}
  {{- $grace := include "shoal.milliseconds" (dict "key" "lame_duck_grace_period" "value" (.lame_duck_grace_period | default "5s")) -}}
  {{- $duration := include "shoal.milliseconds" (dict "key" "lame_duck_duration" "value" (.lame_duck_duration | default "25s")) -}}
  {{- $jetstream := ternary .jetstream dict (kindIs "map" .jetstream) -}}
  {{- $streams := include "shoal.milliseconds" (dict "key" "jetstream.leave_within" "value" ($jetstream.leave_within | default "0s")) -}}
  {{- printf `{"graceMs": %s, "durationMs": %s, "streamsMs": %s}` $grace $duration $streams -}}
{{- end -}}

{{/* A duration such as 1m30s in milliseconds. Takes dict "key" NAME "value" TEXT. */}}
{{- define "shoal.milliseconds" -}}
  {{- $text := trimSuffix ">>" (trimPrefix "<<" (toString .value)) | trim -}}
  {{- if not (regexMatch "^([0-9]+(\\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$" $text) -}}
    {{- fail (printf "config.merge.%s: %s is no duration such as 30s or 1m30s. It has to be written out, since the grace period of the pods follows from it" .key (toString .value)) -}}
  {{- end -}}
  {{- $start := toDate "2006-01-02 15:04" "2000-01-03 00:00" -}}
  {{- $end := mustDateModify $text $start -}}
  {{- add (mul 1000 (sub (unixEpoch $end | int64) (unixEpoch $start | int64))) (date ".000" $end | trimPrefix "." | atoi) -}}
{{- end -}}

{{/* What cannot work is refused: a claim for each pod needs a StatefulSet, and so do servers that keep streams together. */}}
{{- define "shoal.jetstreamConfig" -}}
  {{- $values := .Values.config.jetstream -}}
  {{- $cluster := .Values.config.cluster -}}
  {{- if and (include "shoal.streamClaim" .) (ne .Values.workload.kind "StatefulSet") -}}
    {{- fail (printf "config.jetstream.fileStore.pvc.enabled: a %s has no volume claims for its pods. Set workload.kind to StatefulSet" .Values.workload.kind) -}}
  {{- end -}}
  {{- if $cluster.enabled -}}
    {{- include "shoal.checkJetstreamCluster" . -}}
  {{- end -}}
  {{- $jetstream := dict -}}
  {{- if $values.memoryStore.enabled -}}
    {{- $_ := set $jetstream "max_memory_store" (printf "<< %s >>" $values.memoryStore.maxSize) -}}
  {{- else -}}
    {{- $_ := set $jetstream "max_memory_store" 0 -}}
  {{- end -}}
  {{- if not $values.fileStore.enabled -}}
    {{- $_ := set $jetstream "max_file_store" 0 -}}
  {{- else -}}
    {{- $_ := set $jetstream "store_dir" $values.fileStore.dir -}}
    {{- with $values.fileStore.maxSize -}}
      {{- $_ := set $jetstream "max_file_store" (printf "<< %s >>" .) -}}
    {{- end -}}
  {{- end -}}
  {{- /* servers of other releases may belong to those that begin */ -}}
  {{- if and $cluster.enabled (not $cluster.extraRoutes) -}}
    {{- $_ := set $jetstream "cluster_size" (int $cluster.replicas) -}}
  {{- end -}}
  {{- if include "shoal.leavesForGood" . -}}
    {{- $_ := set $jetstream "leave_within" (printf "%ds" (int $values.leave.withinSeconds)) -}}
  {{- end -}}
  {{- toJson $jetstream -}}
{{- end -}}

{{/* Servers that keep streams together are known by their names and keep what they agree on, and there are as many as was said. */}}
{{- define "shoal.checkJetstreamCluster" -}}
  {{- $cluster := .Values.config.cluster -}}
  {{- if ne .Values.workload.kind "StatefulSet" -}}
    {{- fail (printf "config.jetstream.enabled: servers that keep streams together are known by their names, and pods of a %s get new ones. Set workload.kind to StatefulSet" .Values.workload.kind) -}}
  {{- end -}}
  {{- if not .Values.config.jetstream.fileStore.enabled -}}
    {{- fail "config.jetstream.fileStore.enabled: servers of a cluster keep on the disk what they agree on, also about streams in memory. Leave it on, or set config.cluster.enabled to false" -}}
  {{- end -}}
  {{- if .Values.autoscaling.enabled -}}
    {{- fail "autoscaling.enabled: a pod that goes takes its copies of streams with it. Set it to false, or config.jetstream.enabled" -}}
  {{- end -}}
  {{- if lt (int $cluster.replicas) 2 -}}
    {{- fail "config.cluster.replicas must be 2 or higher when config.jetstream is enabled, and 3 for streams that outlive a server. For one server set config.cluster.enabled to false" -}}
  {{- end -}}
{{- end -}}

{{/* Where streams have a volume, the name of its claim; else nothing. */}}
{{- define "shoal.streamClaim" -}}
  {{- $values := .Values.config.jetstream -}}
  {{- if and $values.enabled $values.fileStore.enabled $values.fileStore.pvc.enabled -}}
    {{- $values.fileStore.pvc.name | default (printf "%s-js" (include "shoal.fullname" .)) -}}
  {{- end -}}
{{- end -}}

{{/* Operator mode: paths of files in the mounted ConfigMap or Secret, and where accounts come from. */}}
{{- define "shoal.operatorConfig" -}}
  {{- $operator := .Values.config.operator -}}
  {{- $resolver := .Values.config.resolver -}}
  {{- $config := dict -}}
  {{- if and $operator.configMapName $operator.secretName -}}
    {{- fail "config.operator: configMapName and secretName both say where the operator's token is. Set one of them" -}}
  {{- end -}}
  {{- if include "shoal.hasOperator" . -}}
    {{- if include "shoal.hasUsers" . -}}
      {{- fail "config.operator: an operator's users have tokens, and auth.users are not admitted beside them. Remove one of the two" -}}
    {{- end -}}
    {{- $_ := set $config "operator" (printf "%s/%s" $operator.dir $operator.key) -}}
    {{- if $operator.preloadKey -}}
      {{- $_ := set $config "resolver_preload" (dict "tokens$include" (printf "%s/%s" $operator.dir $operator.preloadKey)) -}}
    {{- end -}}
    {{- if not $resolver.enabled -}}
      {{- $_ := set $config "resolver" "MEMORY" -}}
    {{- end -}}
  {{- end -}}
  {{- with $operator.systemAccount -}}
    {{- $_ := set $config "system_account" . -}}
  {{- end -}}
  {{- if $resolver.enabled -}}
    {{- if and $resolver.pvc.enabled (ne .Values.workload.kind "StatefulSet") -}}
      {{- fail (printf "config.resolver.pvc.enabled: a %s has no volume claims for its pods. Set workload.kind to StatefulSet, or it to false" .Values.workload.kind) -}}
    {{- end -}}
    {{- $_ := set $config "resolver" (include "shoal.part" (dict "of" $resolver "doc" (dict "type" "full" "dir" $resolver.dir)) | fromJson) -}}
  {{- end -}}
  {{- toJson $config -}}
{{- end -}}

{{- define "shoal.hasOperator" -}}
  {{- if or .Values.config.operator.configMapName .Values.config.operator.secretName }}true{{ end -}}
{{- end -}}

{{/* Where tokens of accounts have a volume, the name of its claim; else nothing. */}}
{{- define "shoal.resolverClaim" -}}
  {{- $values := .Values.config.resolver -}}
  {{- if and $values.enabled $values.pvc.enabled -}}
    {{- $values.pvc.name | default (printf "%s-resolver" (include "shoal.fullname" .)) -}}
  {{- end -}}
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

{{- define "shoal.websocketConfig" -}}
  {{- $values := .Values.config.websocket -}}
  {{- $websocket := dict "port" $values.port -}}
  {{- if $values.tls.enabled -}}
    {{- $_ := set $websocket "tls" (include "shoal.tls" (dict "ctx" . "of" $values.tls) | fromJson) -}}
  {{- else -}}
    {{- $_ := set $websocket "no_tls" true -}}
  {{- end -}}
  {{- toJson $websocket -}}
{{- end -}}

{{- define "shoal.leafnodesConfig" -}}
  {{- $values := .Values.config.leafnodes -}}
  {{- $leafnodes := dict -}}
  {{- if $values.enabled -}}
    {{- $leafnodes = dict "port" $values.port "no_advertise" true -}}
    {{- if $values.tls.enabled -}}
      {{- $_ := set $leafnodes "tls" (include "shoal.tls" (dict "ctx" . "of" $values.tls) | fromJson) -}}
    {{- end -}}
  {{- end -}}
  {{- if $values.remotes -}}
    {{- $remotes := list -}}
    {{- range $i, $remote := $values.remotes -}}
      {{- $remotes = append $remotes (include "shoal.leafRemote" (dict "remote" $remote "at" $i) | fromJson) -}}
    {{- end -}}
    {{- $_ := set $leafnodes "remotes" $remotes -}}
  {{- end -}}
  {{- toJson $leafnodes -}}
{{- end -}}

{{/* One hub: files of its Secrets are in a folder by its place in the list, and texts of Secrets come by variables. */}}
{{- define "shoal.leafRemote" -}}
  {{- $remote := .remote -}}
  {{- $doc := pick $remote "url" "urls" "account" -}}
  {{- if not (or $remote.url $remote.urls $remote.urlSecret) -}}
    {{- fail (printf "config.leafnodes.remotes[%d] needs a url, urls or urlSecret" .at) -}}
  {{- end -}}
  {{- if $remote.urlSecret -}}
    {{- $_ := set $doc "url" (printf "<< $SHOAL_LEAF_%d_URL >>" .at) -}}
  {{- end -}}
  {{- with $remote.credentials -}}
    {{- $_ := set $doc "credentials" (printf "/etc/shoal/leafnodes/%d/credentials/%s" $.at (.key | default "nats.creds")) -}}
  {{- end -}}
  {{- if $remote.nkey -}}
    {{- $_ := set $doc "nkey" (printf "<< $SHOAL_LEAF_%d_NKEY >>" .at) -}}
  {{- end -}}
  {{- with $remote.tls -}}
    {{- $tls := dict -}}
    {{- $folder := printf "/etc/shoal/leafnodes/%d/tls" $.at -}}
    {{- if .secretName -}}
      {{- if .ca -}}{{- $_ := set $tls "ca_file" (printf "%s/%s" $folder .ca) -}}{{- end -}}
      {{- if or .cert (not .ca) -}}
        {{- $_ := set $tls "cert_file" (printf "%s/%s" $folder (.cert | default "tls.crt")) -}}
        {{- $_ := set $tls "key_file" (printf "%s/%s" $folder (.key | default "tls.key")) -}}
      {{- end -}}
    {{- end -}}
    {{- $_ := set $doc "tls" (merge (deepCopy (.merge | default dict)) $tls) -}}
  {{- end -}}
  {{- toJson (mustMergeOverwrite $doc (deepCopy ($remote.merge | default dict))) -}}
{{- end -}}

{{/* Secrets of hubs that are mounted, as {"mounts": LIST of {name, secretName, path}}. */}}
{{- define "shoal.leafMounts" -}}
  {{- $mounts := list -}}
  {{- range $i, $remote := .Values.config.leafnodes.remotes -}}
    {{- range $kind := list "credentials" "tls" -}}
      {{- with (get $remote $kind | default dict).secretName -}}
        {{- $mounts = append $mounts (dict "name" (printf "leaf-%d-%s" $i $kind) "secretName" . "path" (printf "/etc/shoal/leafnodes/%d/%s" $i $kind)) -}}
      {{- end -}}
    {{- end -}}
    {{- if and (hasKey $remote "credentials") (not ($remote.credentials | default dict).secretName) -}}
      {{- fail (printf "config.leafnodes.remotes[%d].credentials needs a secretName" $i) -}}
    {{- end -}}
  {{- end -}}
  {{- toJson (dict "mounts" $mounts) -}}
{{- end -}}

{{/* Ports of hubs, as {"ports": LIST}. */}}
{{- define "shoal.leafRemotePorts" -}}
  {{- $ports := list -}}
  {{- range .Values.config.leafnodes.remotes -}}
    {{- range concat (list .url) (.urls | default list) | compact -}}
      {{- $usual := ternary "443" (ternary "80" "7422" (hasPrefix "ws:" .)) (hasPrefix "wss:" .) -}}
      {{- $ports = append $ports (regexFind ":[0-9]+(/.*)?$" . | regexFind "[0-9]+" | default $usual | int) -}}
    {{- end -}}
    {{- if .urlSecret -}}{{- $ports = append $ports 7422 -}}{{- end -}}
  {{- end -}}
  {{- toJson (dict "ports" (uniq $ports)) -}}
{{- end -}}

{{- define "shoal.tls" -}}
  {{- $tls := dict "cert_file" (printf "%s/%s" .of.dir .of.cert) "key_file" (printf "%s/%s" .of.dir .of.key) -}}
  {{- with .ctx.Values.tlsCA -}}
    {{- if .enabled -}}{{- $_ := set $tls "ca_file" (printf "%s/%s" .dir .key) -}}{{- end -}}
  {{- end -}}
  {{- include "shoal.part" (dict "of" .of "doc" $tls) -}}
{{- end -}}

{{/*
Credentials of routes that values give, as {"user": TEXT, "password": TEXT}; {} where they give none. They may stand in
config.cluster.routeURLs, as in the NATS chart, or in the authorization of the configuration's cluster block. The chart keeps them in
its Secret. What would make two servers of one release disagree is refused.
*/}}
{{- define "shoal.givenCredentials" -}}
  {{- $cluster := .Values.config.cluster -}}
  {{- $urls := $cluster.routeURLs | default dict -}}
  {{- $block := ((include "shoal.configDoc" . | fromJson).cluster | default dict).authorization | default dict -}}
  {{- $user := $block.user | default $block.username -}}
  {{- $password := $block.password | default $block.pass -}}
  {{- if or $user $password -}}
    {{- if not (and $user $password) -}}
      {{- fail "config.cluster.merge.authorization: routes need both a user and a password" -}}
    {{- end -}}
    {{- range list $user $password -}}
      {{- if regexMatch "^<<.*>>$" (toString .) -}}
        {{- fail (printf "config.cluster.merge.authorization: %s is a variable, and routes between the pods need its value: put both into a Secret with the keys user and password, and name it by config.cluster.authorization.existingSecret" .) -}}
      {{- end -}}
    {{- end -}}
    {{- if and $urls.user $urls.password (or (ne (toString $urls.user) (toString $user)) (ne (toString $urls.password) (toString $password))) -}}
      {{- fail "config.cluster.routeURLs and config.cluster.merge.authorization give different credentials for routes: keep one of them" -}}
    {{- end -}}
  {{- else if and $urls.user $urls.password -}}
    {{- $user = $urls.user -}}
    {{- $password = $urls.password -}}
  {{- end -}}
  {{- if $user -}}
    {{- if $cluster.authorization.existingSecret -}}
      {{- fail "config.cluster.authorization.existingSecret names a Secret with credentials for routes, and config.cluster.routeURLs or config.cluster.merge.authorization give others: keep one of them" -}}
    {{- end -}}
    {{- if not $cluster.authorization.enabled -}}
      {{- fail "config.cluster.authorization.enabled is false, and config.cluster.routeURLs or config.cluster.merge.authorization give credentials for routes: keep one of them" -}}
    {{- end -}}
    {{- toJson (dict "user" (toString $user) "password" (toString $password)) -}}
  {{- else -}}
    {{- toJson dict -}}
  {{- end -}}
{{- end -}}
