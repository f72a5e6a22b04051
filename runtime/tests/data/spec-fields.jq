# Lists every field of config.json that the runtime specification's JSON schema defines, with the type of its value:
#   jq -n 'reduce inputs as $file ({}; .[input_filename | sub(".*/"; "")] = $file)' runtime-spec/schema/*.json |
#       jq -r -f spec-fields.jq | LC_ALL=C sort
# `[]` stands for any element of a list, `{}` for any key of a map.
. as $files
| def target($file; $reference):
      ($reference | split("#")) as [$other, $pointer]
      | (if $other == "" then $file else $other end) as $file
      | {file: $file, node: ($files[$file] | getpath($pointer | ltrimstr("/") | split("/")))};
  def fields($file; $node; $path):
      if $node["$ref"] then target($file; $node["$ref"]) as $there | fields($there.file; $there.node; $path)
      elif $node.allOf then fields($file; $node.allOf[]; $path)
      elif $node.anyOf then fields($file; $node.anyOf[0]; $path)
      elif $node.properties then
          ($node.properties | keys[]) as $name | fields($file; $node.properties[$name]; $path + "." + $name)
      elif $node.items then fields($file; $node.items; $path + "[]")
      elif ($node.additionalProperties | type) == "object" then fields($file; $node.additionalProperties; $path + ".{}")
      elif $node.patternProperties then fields($file; $node.patternProperties[]; $path + ".{}")
      else ($path | ltrimstr(".")) + "\t" + ($node.type // "string") end;
  fields("config-schema.json"; $files["config-schema.json"]; "")
