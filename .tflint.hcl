# The ruleset is bundled with tflint: nothing is downloaded.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# The modules keep their resources in files by concern.
rule "terraform_standard_module_structure" {
  enabled = false
}
