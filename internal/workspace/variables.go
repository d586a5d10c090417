package workspace

// Variable is an environment variable, or a kind of them, that commands read. The README's table lists them.
type Variable struct{ Name, For, Value, Unset string }

// Variables lists all of them, as Markdown.
var Variables = []Variable{
	{"`APPROVE`", "`deploy`, `destroy`, `sweep`, `clean`, `campaign`, `campaign:destroy`", "switch: yes to every question", "they ask; without a terminal they refuse"},
	{"`FORCE`", "`deploy`, `destroy`, `sweep`, `campaign`, `campaign:destroy`", "switch: what is not exported is given up", "it is exported first"},
	{"`CAMPAIGN`", "`campaign`, `campaign:status`, `campaign:report`, `campaign:destroy`, `local:campaign`", "a campaign's file ([docs/campaigns.md](docs/campaigns.md))", "required"},
	{"`SWEEP`", "`sweep`", "a stack's name, or `all`: it is ended, exported and removed", "the stacks are listed"},
	{"`RUN`", "`export`, `report`", "a run, `2026-11-23T03-08-09Z`", "the latest one"},
	{"`RUNS`", "`report`", "runs to compare, separated by commas", "one run"},
	{"`FROM`", "`report`", "a folder with exports", "the bucket"},
	{"`UPLOAD`", "`report`, `campaign`, `campaign:report`", "switch: the report is uploaded to the bucket, too", "it stays on this machine"},
	{"`SKIP_CHECKS`", "`validate`, `deploy`, `campaign`", "checks to skip, separated by commas: `clock`, `bucket`, `subnets`, `quota`, `cache`, `existing_cache`", "all are run"},
	{"`STACK_DIR`", everywhere, "the folder of the root module", "the project's"},
	{"`TERRAFORM`", everywhere, "the program to run", "`terraform`, else `tofu` on PATH, else an OpenTofu that is built"},
	{"`TF_VAR_NAME`, `TF_DATA_DIR`, `TF_CLI_CONFIG_FILE`, `TF_PLUGIN_CACHE_DIR`, `TF_CLI_ARGS_plan`", everywhere, "as in Terraform; an input that the stack does not have is an error, and so is a flag that makes a plan do something else (`-destroy`)", ""},
	{"`NO_COLOR`", everywhere, "anything: Terraform prints without colour", "in a terminal it prints with colour"},
	{"`AWS_*`", everywhere, "as in the AWS SDK", ""},
	{"`MINUTES`", "`local:run`, `local:up`, `local:campaign`", "1 to 1440: `test_duration_minutes`", "1; for a campaign, what its file sets"},
	{"`FAULT`", "`local:run`, `local:up`, `local:campaign`", "faults, separated by commas ([CONTRIBUTING.md](CONTRIBUTING.md))", "none"},
	{"`QUOTAS`", "`local:run`, `local:up`, `local:campaign`", "switch: requests are throttled as on AWS", "they are not"},
	{"`ARCH`", "`build`", "`arm64` or `x86_64`", "`TF_VAR_lambda_architecture`, else `arm64`"},
	{"`BENCH`", "`bench`", "a pattern of benchmark names", "all"},
	{"`COUNT`", "`bench`, `test:flakes`", "how many times", "1; 30"},
	{"`JOURNEYS`", "`test:flakes`", "how many times each journey runs; 0 skips them", "5"},
	{"`FLAKES`", "`test:flakes`", "part of a package's name", "all"},
	{"`VERSIONS`", "`test:versions`", "part of a version's name", "all"},
	{"`E2E_TARGET`", "tests", "`aws`: journeys use your account, with `E2E_VPC_ID`, `E2E_SUBNET_IDS` and `E2E_BUCKET`", "the embedded AWS"},
	{"`E2E_LONG`", "tests", "anything: the longer tests run, too", "they are skipped"},
}
