variable "name" {
  description = "Name of the ECS cluster; the service, task family and roles begin with it. Example: `orders-cache`."
  type        = string
  nullable    = false

  # The longest derived name is the role NAME-load-execution: IAM allows 64 characters. SG names must not start with sg-.
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,47}$", var.name)) && !startswith(var.name, "sg-")
    error_message = "The name must have 1 to 48 characters: letters, digits and hyphens, first a letter, and not begin with \"sg-\"."
  }
}

variable "vpc_id" {
  description = "VPC of the tasks. Example: `vpc-0123456789abcdef0`."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Subnets of the tasks; they need access to the image, to CloudWatch Logs and to the cache. Example: `[\"subnet-0123456789abcdef0\"]`."
  type        = list(string)
  nullable    = false

  # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html
  validation {
    condition     = length(var.subnet_ids) >= 1 && length(var.subnet_ids) <= 16
    error_message = "An ECS service takes 1 to 16 subnets."
  }
}

variable "cache" {
  description = "The cache to load. Without `security_group_id` the tasks may reach its port at any address; `reader_endpoint` spreads reads over its replicas; `shards` is needed with a rate limit, which memtier applies to each shard's connection. Example: `{ endpoint = \"cache.example.com\", port = 6379 }`."
  type = object({
    endpoint          = string
    port              = optional(number, 6379)
    cluster_mode      = optional(bool, false)
    tls               = optional(bool, false)
    security_group_id = optional(string)
    reader_endpoint   = optional(string)
    shards            = optional(number)
  })
  nullable = false
}

variable "run" {
  description = "Id of the run, which every log line of a task carries; a new one replaces the tasks. Example: `2026-11-23T03-08-09Z`."
  type        = string
  nullable    = false
}

variable "minutes" {
  description = "Minutes that the load is needed; it runs for 30 more unless it is stopped, so that the stop ends it. Example: `60`."
  type        = number
  nullable    = false

  validation {
    condition     = var.minutes >= 1 && var.minutes <= 1440 && floor(var.minutes) == var.minutes
    error_message = "The load's minutes must be a whole number from 1 to 1440."
  }
}

variable "load" {
  description = <<-EOT
    The load: `task_count` Fargate tasks, each running memtier_benchmark with `threads` x `clients` connections. `threads` defaults to one for each vCPU of `cpu`.
    `workload` fills in what is left out of `ratio`, the sizes, `expiry_range`, `key_pattern`, `key_zipf_exp`, `key_maximum` (keys of each task), `pipeline` and `extra_args`
    by name: cache-aside, session-store, write-heavy, large-values, hot-keys, hashes, sorted-sets (workloads.json). `ratio` is SET:GET; `key_pattern` is SET:GET of S(equential), R(andom), G(aussian),
    P(arallel) and Z(ipf, with the exponent `key_zipf_exp`). Values have `data_size` bytes, or sizes of a `data_size_range` ("100-300") or of a `data_size_list` of sizes and weights ("100:3,2000:1");
    keys expire after a time in the `expiry_range` in seconds ("900-1800"; "" means never). `rate_limit` is requests per second and connection, in cluster mode of each shard: the output `requests_per_second`
    is the whole rate. `extra_args` are flags of memtier that the load does not set itself, spelled in full (README.md lists them); with `--command` among them there is neither `ratio`, `key_pattern`, expiry nor a prefill.
    Each task first writes all of its keys and reads them back. `prefill.minutes` gives that time of its own, and a task fails if keys are missing after it; without it,
    the prefill takes at most half of the run's time, and the load continues with the keys that exist; 0 means no prefill.
    `read_from = "replicas"` takes reads from the cache's reader endpoint, for a `ratio` without SETs; keys come from `prefill`, which writes to the primary.
    `ca_pem` replaces Amazon's root certificates; `container_insights` costs extra.
    Example: `{ task_count = 4, cpu = 2048, memory = 4096, clients = 50, pipeline = 8, ratio = "1:10" }`.
  EOT
  type = object({
    task_count            = optional(number, 1)
    cpu                   = optional(number, 1024)
    memory                = optional(number, 2048)
    architecture          = optional(string, "X86_64")
    image                 = optional(string, "redislabs/memtier_benchmark:2.5.1")
    image_credentials_arn = optional(string)
    assign_public_ip      = optional(bool, false)
    workload              = optional(string, "cache-aside")
    prefill               = optional(object({ minutes = optional(number) }), {})
    read_from             = optional(string, "primary")
    threads               = optional(number)
    clients               = optional(number, 10)
    pipeline              = optional(number)
    data_size             = optional(number)
    data_size_range       = optional(string)
    data_size_list        = optional(string)
    expiry_range          = optional(string)
    ratio                 = optional(string)
    key_pattern           = optional(string)
    key_zipf_exp          = optional(number)
    key_maximum           = optional(number)
    rate_limit            = optional(number)
    extra_args            = optional(list(string))
    ca_pem                = optional(string)
    container_insights    = optional(string, "disabled")
  })
  default  = {}
  nullable = false

  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html (tasks per service)
  validation {
    condition     = var.load.task_count >= 1 && var.load.task_count <= 5000 && floor(var.load.task_count) == var.load.task_count
    error_message = "The task_count must be a whole number from 1 to 5000."
  }
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
  validation {
    condition = contains(lookup({
      "256"   = [512, 1024, 2048]
      "512"   = range(1024, 4097, 1024)
      "1024"  = range(2048, 8193, 1024)
      "2048"  = range(4096, 16385, 1024)
      "4096"  = range(8192, 30721, 1024)
      "8192"  = range(16384, 61441, 4096)
      "16384" = range(32768, 122881, 8192)
      "32768" = [61440, 122880, 249856]
    }, tostring(var.load.cpu), []), var.load.memory)
    error_message = "Fargate allows these pairs of cpu and memory (MiB): 256 with 512, 1024 or 2048; 512 with 1024 to 4096, 1024 with 2048 to 8192, 2048 with 4096 to 16384 and 4096 with 8192 to 30720, all in steps of 1024; 8192 with 16384 to 61440 in steps of 4096; 16384 with 32768 to 122880 in steps of 8192; 32768 with 61440, 122880 or 249856."
  }
  validation {
    condition     = contains(["X86_64", "ARM64"], var.load.architecture)
    error_message = "The load's architecture must be \"X86_64\" or \"ARM64\"."
  }
  validation {
    condition     = can(regex("^[^@]+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$", var.load.image)) && !can(regex(":(latest|edge)$", var.load.image))
    error_message = "The image must be pinned to a version or digest, such as \"redislabs/memtier_benchmark:2.5.1\": two runs on \"latest\" cannot be compared."
  }
  # Before 2.3 memtier's progress lines lack connections, and before 2.2.1 it exits at the stop without a table.
  validation {
    condition     = !can(regex("memtier_benchmark:v?([01]\\.|2\\.[0-2]([^0-9]|$))", var.load.image))
    error_message = "The image's memtier_benchmark is older than 2.3: it prints other progress records, and before 2.2.1 it dies at the stop without its final table. Use \"redislabs/memtier_benchmark:2.5.1\" or a newer one."
  }
  validation {
    condition     = !can(regex("memtier_benchmark:v?2\\.4\\.[01]([^0-9]|$)", var.load.image))
    error_message = "The image's memtier_benchmark 2.4.0 and 2.4.1 have known regressions: use \"redislabs/memtier_benchmark:2.5.1\", or another version."
  }
  validation {
    condition     = var.load.image_credentials_arn == null ? true : can(regex("^arn:[^:]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]{1,519}$", var.load.image_credentials_arn))
    error_message = "The image_credentials_arn must be the ARN of a Secrets Manager secret (\"arn:aws:secretsmanager:...:secret:...\")."
  }
  validation {
    condition     = alltrue([for n in [coalesce(var.load.threads, 1), var.load.clients, coalesce(var.load.pipeline, 1), coalesce(var.load.key_maximum, 1)] : n >= 1 && floor(n) == n])
    error_message = "The load's threads, clients, pipeline and key_maximum must be whole numbers of at least 1."
  }
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html (maxclients, for each node)
  validation {
    condition     = var.load.task_count * coalesce(var.load.threads, max(1, floor(var.load.cpu / 1024))) * var.load.clients <= 65000
    error_message = "An ElastiCache node takes at most 65000 connections: task_count x threads x clients must not exceed that."
  }
  # A string value of Redis and Valkey holds at most 512 MB: https://valkey.io/topics/strings/
  validation {
    condition     = var.load.data_size == null ? true : var.load.data_size >= 1 && var.load.data_size <= 536870912 && floor(var.load.data_size) == var.load.data_size
    error_message = "The data_size must be a whole number from 1 to 536870912 bytes."
  }
  # memtier's rules: https://github.com/redis/memtier_benchmark/blob/master/config_types.cpp
  validation {
    condition     = var.load.data_size_range == null ? true : can(regex("^[1-9][0-9]{0,8}-[1-9][0-9]{0,8}$", var.load.data_size_range)) && try(tonumber(split("-", var.load.data_size_range)[0]) < tonumber(split("-", var.load.data_size_range)[1]), false)
    error_message = "The data_size_range must be two sizes in bytes, the smaller one first, such as \"100-300\"."
  }
  validation {
    condition     = var.load.data_size_list == null ? true : can(regex("^[1-9][0-9]{0,8}:[1-9][0-9]{0,4}(,[1-9][0-9]{0,8}:[1-9][0-9]{0,4})*$", var.load.data_size_list))
    error_message = "The data_size_list must be sizes in bytes with their weights, such as \"100:3,2000:1\"."
  }
  validation {
    condition     = var.load.expiry_range == null || var.load.expiry_range == "" ? true : can(regex("^[1-9][0-9]{0,8}-[1-9][0-9]{0,8}$", var.load.expiry_range)) && try(tonumber(split("-", var.load.expiry_range)[0]) < tonumber(split("-", var.load.expiry_range)[1]), false)
    error_message = "The expiry_range must be two numbers of seconds, the smaller one first, such as \"900-1800\", or \"\" for values that do not expire."
  }
  validation {
    condition     = var.load.key_zipf_exp == null ? true : var.load.key_zipf_exp > 0 && var.load.key_zipf_exp < 5
    error_message = "The key_zipf_exp must be a number between 0 and 5, such as 1.1."
  }
  validation {
    condition     = var.load.ratio == null ? true : can(regex("^[0-9]{1,9}:[0-9]{1,9}$", var.load.ratio)) && !can(regex("^0+:0+$", var.load.ratio))
    error_message = "The ratio must be SET:GET, two whole numbers that are not both 0, such as \"1:10\"."
  }
  validation {
    condition     = var.load.key_pattern == null ? true : can(regex("^([SRGZ]:[SRGZ]|P:P)$", var.load.key_pattern))
    error_message = "The key_pattern must be SET:GET, each one of S, R, G and Z, such as \"R:R\", or \"P:P\"."
  }
  validation {
    condition     = var.load.rate_limit == null ? true : var.load.rate_limit >= 1 && floor(var.load.rate_limit) == var.load.rate_limit
    error_message = "The rate_limit must be a whole number of at least 1 request per second and connection, or null for none."
  }
  # An allow list of full flags: getopt_long also accepts abbreviations, and short flags with the value attached.
  validation {
    condition = alltrue([for i, a in coalesce(var.load.extra_args, []) :
      can(regex("^(--(random-data|reconnect-on-error|tls-skip-verify|ipv4|ipv6)|-[R46])$", a)) ||
      can(regex("(?s)^--(command(-ratio|-key-pattern)?|connection-timeout|data-size-pattern|key-(prefix|minimum|stddev|median)|max-reconnect-attempts|print-percentiles|reconnect-(interval|backoff-factor)|select-db|sni)=.", a)) ||
      can(regex("^--(command(-ratio|-key-pattern)?|connection-timeout|data-size-pattern|key-(prefix|minimum|stddev|median)|max-reconnect-attempts|print-percentiles|reconnect-(interval|backoff-factor)|select-db|sni)$", a)) && !startswith(try(var.load.extra_args[i + 1], "-"), "-") ||
      i > 0 && !startswith(a, "-") && can(regex("^--[a-z-]+$", var.load.extra_args[max(i - 1, 0)])) && !can(regex("^--(random-data|reconnect-on-error|tls-skip-verify|ipv4|ipv6)$", var.load.extra_args[max(i - 1, 0)]))
    ])
    error_message = "The extra_args accept these flags of memtier, spelled in full, as \"--flag=value\" or as two strings: --command, --command-ratio, --command-key-pattern, --connection-timeout, --data-size-pattern, --ipv4, --ipv6, --key-prefix, --key-minimum, --key-stddev, --key-median, --max-reconnect-attempts, --print-percentiles, --random-data, --reconnect-interval, --reconnect-on-error, --reconnect-backoff-factor, --select-db, --sni and --tls-skip-verify. The others are set by the load itself (server, login, TLS, times, output files, seed), have an input of their own (threads, clients, pipeline, data_size, data_size_range, data_size_list, expiry_range, ratio, key_pattern, key_zipf_exp, key_maximum, rate_limit), or give results that cannot be judged."
  }
  validation {
    condition     = var.load.prefill.minutes == null ? true : var.load.prefill.minutes >= 0 && var.load.prefill.minutes <= 240 && floor(var.load.prefill.minutes) == var.load.prefill.minutes
    error_message = "The prefill's minutes must be a whole number from 1 to 240; 0 means no prefill."
  }
  validation {
    condition     = contains(["primary", "replicas"], var.load.read_from)
    error_message = "The load's read_from must be \"primary\" or \"replicas\"."
  }
  validation {
    condition     = var.load.ca_pem == null ? true : can(regex("-----BEGIN CERTIFICATE-----", var.load.ca_pem))
    error_message = "The ca_pem must be certificates in PEM format (\"-----BEGIN CERTIFICATE-----\"), for instance file(\"ca.pem\")."
  }
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html: a task definition is limited to 64 KB, of which the wrapper takes 15
  validation {
    condition     = length(base64encode(jsonencode([var.load.ca_pem, var.load.extra_args]))) * 3 / 4 <= 40000
    error_message = "The load's ca_pem and extra_args have too many bytes: 40000 fit into a task definition. Give only the certificates that the cache's chain needs."
  }
  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.load.container_insights)
    error_message = "The container_insights must be \"disabled\", \"enabled\" or \"enhanced\"."
  }
}

variable "auth_token" {
  description = "Password of the cache, or `USER:PASSWORD` of one of its RBAC users; a password that contains a colon is written `:PASSWORD`. Handed to the tasks as an ECS secret from an SSM SecureString; needs `cache.tls`."
  type        = string
  default     = null
  sensitive   = true
}

variable "iam" {
  description = "For accounts that require them on every role. Example: `{ path = \"/perf/\", permissions_boundary = \"arn:aws:iam::123456789012:policy/boundary\" }`."
  type = object({
    path                 = optional(string, "/")
    permissions_boundary = optional(string)
  })
  default  = {}
  nullable = false

  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
  validation {
    condition     = can(regex("^/([!-.0-~]+/)*$", var.iam.path)) && length(var.iam.path) <= 512
    error_message = "The iam's path must begin and end with a slash and have at most 512 characters, such as \"/perf/\"."
  }
  validation {
    condition     = var.iam.permissions_boundary == null ? true : can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/.", var.iam.permissions_boundary))
    error_message = "The iam's permissions_boundary must be the ARN of a policy, such as \"arn:aws:iam::123456789012:policy/boundary\"."
  }
}

variable "egress" {
  description = "What else the tasks may reach over TCP, each under a name of your choice: a proxy, or a registry on another port. The cache, port 443 and DNS are always open. Example: `{ proxy = { cidr_ipv4 = \"10.20.0.0/16\", port = 3128 } }`."
  type = map(object({
    cidr_ipv4 = string
    port      = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for e in values(var.egress) : can(cidrnetmask(e.cidr_ipv4)) && e.port >= 1 && e.port <= 65535 && floor(e.port) == e.port])
    error_message = "Each egress is a cidr_ipv4, such as \"10.20.0.0/16\", and a port from 1 to 65535."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch Logs keeps what the tasks print. Example: `7`."
  type        = number
  default     = 30
  nullable    = false
}

variable "tags" {
  description = "Tags of everything that this module creates, tasks included. Example: `{ team = \"search\" }`."
  type        = map(string)
  default     = {}
  nullable    = false

  # What all tagged services accept; IAM's keys ignore case. https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
  validation {
    condition = length(var.tags) <= 45 && length(distinct([for k in keys(var.tags) : lower(k)])) == length(var.tags) && alltrue([for k, v in var.tags :
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,128}$", k)) && can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,256}$", v)) && !startswith(lower(k), "aws:")
    ])
    error_message = "The tags must be at most 45, with keys of 1 to 128 and values of 1 to 256 characters (letters, digits, spaces and _ . : / = + - @); keys differ in more than upper and lower case and do not begin with \"aws:\"."
  }
}
