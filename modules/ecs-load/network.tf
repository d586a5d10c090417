resource "aws_security_group" "this" {
  name        = "${var.name}-load"
  description = "Load tasks of ${var.name}: nothing comes in"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "cache" {
  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = var.cache.security_group_id
  cidr_ipv4                    = var.cache.security_group_id == null ? "0.0.0.0/0" : null
  description                  = "To the cache"
  ip_protocol                  = "tcp"
  from_port                    = var.cache.port
  to_port                      = var.cache.port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  cidr_ipv4         = "0.0.0.0/0"
  description       = "To the image, CloudWatch Logs and SSM: public or by VPC endpoint"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "further" {
  for_each = var.egress

  security_group_id = aws_security_group.this.id
  cidr_ipv4         = each.value.cidr_ipv4
  description       = "To ${each.key}"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  tags              = var.tags
}

# Security groups do not filter the VPC's own resolver. But a DHCP option set can name other DNS servers, whose addresses are not known here. Answers
# too large for UDP, such as a name with many addresses, use TCP.
# https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
resource "aws_vpc_security_group_egress_rule" "dns" {
  for_each = toset(["udp", "tcp"])

  security_group_id = aws_security_group.this.id
  cidr_ipv4         = "0.0.0.0/0"
  description       = "To the DNS servers that the DHCP options name"
  ip_protocol       = each.value
  from_port         = 53
  to_port           = 53
  tags              = var.tags
}
