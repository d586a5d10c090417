terraform {
  required_version = ">= 1.3"

  # The provider that this stack was run with; the modules take 6.x as well. No lock file is committed: it names one registry, and Terraform and OpenTofu
  # each have their own, and holds checksums of the platforms of whoever wrote it. `terraform init` writes one, which is yours to keep.
  # https://developer.hashicorp.com/terraform/language/files/dependency-lock
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
