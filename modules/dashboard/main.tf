data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  region = lookup(data.aws_region.current, "region", data.aws_region.current.name) # provider 6 renamed it

  console = {
    aws        = "console.aws.amazon.com"
    aws-cn     = "console.amazonaws.cn"
    aws-us-gov = "console.amazonaws-us-gov.com"
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name}-${local.region}" # dashboard names are global in the account: the same name in another Region would replace this one
  dashboard_body = local.body

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
  lifecycle {
    precondition {
      condition     = max(local.fetched...) <= 500 && sum(local.fetched) <= 2500
      error_message = "CloudWatch allows 500 metrics per graph and 2,500 per dashboard, hidden ones and expressions included: this one has ${max(local.fetched...)} and ${sum(local.fetched)}."
    }
  }
}
