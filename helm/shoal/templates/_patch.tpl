{{/*
A JSON patch (RFC 6902: add, replace, remove) of a document. Takes dict "doc" DOCUMENT "patch" LIST, gives JSON.
*/}}
{{- define "shoal.patch" -}}
  {{- $doc := .doc -}}
  {{- range .patch -}}
    {{- if not (has .op (list "add" "replace" "remove")) -}}
      {{- fail (printf "patch: op %q is not one of add, replace, remove" .op) -}}
    {{- end -}}
    {{- $keys := list -}}
    {{- range (rest (splitList "/" .path)) -}}
      {{- $keys = append $keys (. | replace "~1" "/" | replace "~0" "~") -}}
    {{- end -}}
    {{- $doc = (include "shoal.patchAt" (dict "node" $doc "keys" $keys "op" .) | fromJson).node -}}
  {{- end -}}
  {{- toJson $doc -}}
{{- end -}}

{{/* Gives {"node": NODE} with the operation done at the keys below it. */}}
{{- define "shoal.patchAt" -}}
  {{- $node := .node -}}
  {{- $op := .op -}}
  {{- if not .keys -}}
    {{- toJson (dict "node" $op.value) -}}
  {{- else -}}
    {{- $key := first .keys -}}
    {{- $below := rest .keys -}}
    {{- if kindIs "map" $node -}}
      {{- if and (not (hasKey $node $key)) (or $below (ne $op.op "add")) -}}
        {{- fail (printf "patch: %s of %s: there is no %q" $op.op $op.path $key) -}}
      {{- end -}}
      {{- $changed := omit $node $key -}}
      {{- if or $below (ne $op.op "remove") -}}
        {{- $_ := set $changed $key (include "shoal.patchAt" (dict "node" (get $node $key) "keys" $below "op" $op) | fromJson).node -}}
      {{- end -}}
      {{- toJson (dict "node" $changed) -}}
    {{- else if kindIs "slice" $node -}}
      {{- $index := ternary (len $node) (atoi $key) (eq $key "-") -}}
      {{- $isInsert := and (not $below) (eq $op.op "add") -}}
      {{- if gt $index (ternary (len $node) (sub (len $node) 1 | int) $isInsert) -}}
        {{- fail (printf "patch: %s of %s: there is no element %s" $op.op $op.path $key) -}}
      {{- end -}}
      {{- $changed := list -}}
      {{- range $i, $element := $node -}}
        {{- if ne $i $index -}}
          {{- $changed = append $changed $element -}}
        {{- else if $below -}}
          {{- $changed = append $changed (include "shoal.patchAt" (dict "node" $element "keys" $below "op" $op) | fromJson).node -}}
        {{- else if $isInsert -}}
          {{- $changed = concat $changed (list $op.value $element) -}}
        {{- else if eq $op.op "replace" -}}
          {{- $changed = append $changed $op.value -}}
        {{- end -}}
      {{- end -}}
      {{- if and $isInsert (eq $index (len $node)) -}}
        {{- $changed = append $changed $op.value -}}
      {{- end -}}
      {{- toJson (dict "node" $changed) -}}
    {{- else -}}
      {{- fail (printf "patch: %s of %s: what is above %q is neither a map nor a list" $op.op $op.path $key) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
