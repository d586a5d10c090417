terraform {
  required_version = ">= 1.3"

  # The provider that this stack was tested with; the modules also accept 6.x. No lock file is committed: it names one registry, while Terraform and
  # OpenTofu each have their own, and only has checksums of its author's platforms. `terraform init` writes one, which you can keep.
  # https://developer.hashicorp.com/terraform/language/files/dependency-lock
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
