{{/*
What comes before all rendering, and is included by every template: values of the NATS chart that ask for what is not here are
refused by a sentence each, and values that are templates ($tplYaml) are replaced by what they give. Done once in a rendering.
*/}}
{{- define "shoal.prepare" -}}
  {{- if not (hasKey . "prepared") -}}
    {{- $_ := set . "prepared" true -}}
    {{- if contains "$tplYaml" (toJson .Values) -}}
      {{- $named := set (omit . "Values") "Values" (include "shoal.namedValues" . | fromJson) -}}
      {{- $_ := set . "Values" (include "shoal.evaluated" (dict "value" .Values "ctx" $named "at" "values") | fromJson).value -}}
    {{- end -}}
    {{- $refusals := (include "shoal.refusals" . | fromJson).texts -}}
    {{- if $refusals -}}
      {{- fail (printf "\n%s\n" (join "\n" $refusals)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* Reasons to refuse the values, as {"texts": LIST}. */}}
{{- define "shoal.refusals" -}}
  {{- $ctx := . -}}
  {{- $known := .Files.Get "files/nats-chart.yaml" | fromYaml -}}
  {{- $texts := list -}}
  {{- range $path, $part := $known.parts -}}
    {{- if eq (include "shoal.isAsked" (dict "ctx" $ctx "path" $path "part" $part)) "asked" -}}
      {{- $texts = append $texts (printf "- %s.enabled: %s." $path $part.text) -}}
    {{- end -}}
  {{- end -}}
  {{- range $path, $setting := $known.settings -}}
    {{- $value := (include "shoal.valueAt" (dict "ctx" $ctx "path" $path) | fromJson).value -}}
    {{- $when := (include "shoal.valueAt" (dict "ctx" $ctx "path" $setting.when) | fromJson).value -}}
    {{- if and $value $when -}}
      {{- $texts = append $texts (printf "- %s: %s." $path $setting.text) -}}
    {{- end -}}
  {{- end -}}
  {{- if regexMatch "(^|/)nats(-server)?([:@]|$)" (.Values.container.image.fullImageName | default "") -}}
    {{- $texts = append $texts "- container.image.fullImageName: this is the image of nats-server. Remove it, or name an image of shoal." -}}
  {{- end -}}
  {{- toJson (dict "texts" $texts) -}}
{{- end -}}

{{/* What to say of parts that are on as the NATS chart has them by default, and not here; as {"notes": LIST}. */}}
{{- define "shoal.usualParts" -}}
  {{- $ctx := . -}}
  {{- $notes := list -}}
  {{- range $path, $part := (.Files.Get "files/nats-chart.yaml" | fromYaml).parts -}}
    {{- if eq (include "shoal.isAsked" (dict "ctx" $ctx "path" $path "part" $part)) "usual" -}}
      {{- $notes = append $notes $part.note -}}
    {{- end -}}
  {{- end -}}
  {{- toJson (dict "notes" $notes) -}}
{{- end -}}

{{/* "asked" where a part is on; "usual" where it is on as the NATS chart has it by default; else nothing. */}}
{{- define "shoal.isAsked" -}}
  {{- $value := (include "shoal.valueAt" (dict "ctx" .ctx "path" .path) | fromJson).value | default dict -}}
  {{- if $value.enabled -}}
    {{- $rest := (include "shoal.filled" (dict "value" (omit $value "enabled")) | fromJson).value -}}
    {{- ternary "usual" "asked" (and (hasKey .part "usual") (eq (toJson $rest) (toJson .part.usual))) -}}
  {{- end -}}
{{- end -}}

{{/* The value at a path such as config.jetstream, as {"value": VALUE}; null where there is none. */}}
{{- define "shoal.valueAt" -}}
  {{- $value := .ctx.Values -}}
  {{- range splitList "." .path -}}
    {{- $value = ternary (get ($value | default dict) .) nil (kindIs "map" ($value | default dict)) -}}
  {{- end -}}
  {{- toJson (dict "value" $value) -}}
{{- end -}}

{{/* A value without what is empty in it, and without tags of images; as {"value": VALUE}. */}}
{{- define "shoal.filled" -}}
  {{- if kindIs "map" .value -}}
    {{- $filled := dict -}}
    {{- range $key, $below := omit .value "tag" -}}
      {{- $value := (include "shoal.filled" (dict "value" $below) | fromJson).value -}}
      {{- if $value -}}{{- $_ := set $filled $key $value -}}{{- end -}}
    {{- end -}}
    {{- toJson (dict "value" $filled) -}}
  {{- else -}}
    {{- toJson (dict "value" .value) -}}
  {{- end -}}
{{- end -}}

{{/* Values as templates see them: names that are made up when they are empty are filled in. */}}
{{- define "shoal.namedValues" -}}
  {{- $values := deepCopy .Values -}}
  {{- $fullname := include "shoal.fullname" . -}}
  {{- range $part, $name := dict "service" $fullname "statefulSet" $fullname "serviceAccount" $fullname "podDisruptionBudget" $fullname
        "headlessService" (printf "%s-headless" $fullname) "configMap" (printf "%s-config" $fullname) -}}
    {{- $of := get $values $part -}}
    {{- if not $of.name -}}{{- $_ := set $of "name" $name -}}{{- end -}}
  {{- end -}}
  {{- toJson $values -}}
{{- end -}}

{{/*
A value with its templates evaluated, as {"value": VALUE}. {$tplYaml: TEXT} gives way to the YAML that the template gives;
{$tplYamlSpread: TEXT} to its elements, in the list or map that it stands in.
*/}}
{{- define "shoal.evaluated" -}}
  {{- $here := . -}}
  {{- if kindIs "map" .value -}}
    {{- if hasKey .value "$tplYaml" -}}
      {{- toJson (dict "value" (include "shoal.template" (dict "text" (get .value "$tplYaml") "ctx" .ctx "at" .at) | fromJson).value) -}}
    {{- else -}}
      {{- $map := dict -}}
      {{- range $key, $below := .value -}}
        {{- if eq $key "$tplYamlSpread" -}}
          {{- $spread := (include "shoal.template" (dict "text" $below "ctx" $here.ctx "at" $here.at) | fromJson).value | default dict -}}
          {{- if not (kindIs "map" $spread) -}}{{- fail (printf "%s: $tplYamlSpread in a map has to give a map" $here.at) -}}{{- end -}}
          {{- $map = merge $map $spread -}}
        {{- else -}}
          {{- $_ := set $map $key (include "shoal.evaluated" (dict "value" $below "ctx" $here.ctx "at" (printf "%s.%s" $here.at $key)) | fromJson).value -}}
        {{- end -}}
      {{- end -}}
      {{- toJson (dict "value" $map) -}}
    {{- end -}}
  {{- else if kindIs "slice" .value -}}
    {{- $list := list -}}
    {{- range $i, $below := .value -}}
      {{- $at := printf "%s[%d]" $here.at $i -}}
      {{- if and (kindIs "map" $below) (hasKey $below "$tplYamlSpread") -}}
        {{- $spread := (include "shoal.template" (dict "text" (get $below "$tplYamlSpread") "ctx" $here.ctx "at" $at) | fromJson).value | default list -}}
        {{- if not (kindIs "slice" $spread) -}}{{- fail (printf "%s: $tplYamlSpread in a list has to give a list" $at) -}}{{- end -}}
        {{- $list = concat $list $spread -}}
      {{- else -}}
        {{- $list = append $list (include "shoal.evaluated" (dict "value" $below "ctx" $here.ctx "at" $at) | fromJson).value -}}
      {{- end -}}
    {{- end -}}
    {{- toJson (dict "value" $list) -}}
  {{- else -}}
    {{- toJson (dict "value" .value) -}}
  {{- end -}}
{{- end -}}

{{/* What a template gives, read as YAML; as {"value": VALUE}. Named templates of the NATS chart are those of this one. */}}
{{- define "shoal.template" -}}
  {{- $text := regexReplaceAll "\"nats\\.(name|fullname|namespace|chart|labels)\"" .text "\"shoal.${1}\"" -}}
  {{- $text = $text | replace "\"nats.selectorLabels\"" "\"shoal.selector\"" -}}
  {{- with regexFind "include\\s+\"nats\\.[^\"]*\"" $text -}}
    {{- fail (printf "%s: %s: this template of the NATS chart is not here; nats.name, fullname, namespace, chart, labels and selectorLabels are" $.at .) -}}
  {{- end -}}
  {{- $read := printf "value:\n%s" (tpl $text .ctx | indent 2) | fromYaml -}}
  {{- if hasKey $read "Error" -}}{{- fail (printf "%s: the template gives no YAML: %s" .at $read.Error) -}}{{- end -}}
  {{- toJson $read -}}
{{- end -}}
