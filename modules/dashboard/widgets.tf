# The layout: widgets from top to bottom on a grid of 24 columns.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html

locals {
  widgets = concat([local.header], local.client_widgets, local.load_widgets, local.cache_widgets, local.log_widgets)

  top = 3 + length(local.notes) # height of the header

  header = {
    type   = "text"
    x      = 0
    y      = 0
    width  = 24
    height = local.top
    properties = {
      markdown = join("\n", concat(["# ${var.name}", ""], [for k, v in var.facts : "- **${k}** ${v}"], [for n in local.notes : "- ${n}"]))
    }
  }

  # First what the clients measure, then whether the clients are the bottleneck.
  client_widgets = [for i, c in local.client : {
    type   = "log"
    x      = i * 12
    y      = local.top
    width  = 12
    height = 6
    properties = {
      title  = c.title
      region = local.region
      view   = "timeSeries"
      query  = c.query
    }
  }]

  load_widgets = [for i, g in local.graphs_of_load : {
    type   = "metric"
    x      = i * 12
    y      = local.top + 6
    width  = 12
    height = 6
    properties = {
      title  = g.title
      region = local.region
      view   = "timeSeries"
      period = 60
      metrics = [for m in g.metrics : [
        "AWS/ECS", m.name, "ClusterName", var.load.cluster, "ServiceName", var.load.service,
        { stat = m.stat, label = "${m.label} $${LAST}, max $${MAX}", color = m.color },
      ]]
      yAxis       = { left = merge({ label = g.axis, showUnits = false, min = 0 }, { for top in [g.top] : "max" => top if top != null }) }
      annotations = { vertical = local.moments }
    }
  }]

  cache_widgets = [for i, g in local.graphs : {
    type   = "metric"
    x      = i % 3 * 8
    y      = local.top + 12 + floor(i / 3) * 6
    width  = 8
    height = 6
    properties = {
      title  = g.title
      region = local.region
      view   = "timeSeries"
      period = g.period
      metrics = concat(
        local.fetches[i][*].entry,
        [for d in local.draws[i] : [{ expression = d.of, label = "${trimspace(d.label)} $${LAST}, max $${MAX}", color = d.color }]],
      )
      yAxis       = { left = merge({ label = g.axis, showUnits = false, min = 0 }, { for top in [g.top] : "max" => top if top != null }) }
      annotations = { horizontal = g.lines, vertical = local.moments }
    }
  }]

  log_widgets = [for i, l in local.said : {
    type   = "log"
    x      = 0
    y      = local.top + 12 + ceil(length(local.graphs) / 3) * 6 + i * 6
    width  = 24
    height = 6
    properties = {
      title  = l.title
      region = local.region
      view   = "table"
      query  = "SOURCE '${l.group}' | fields @timestamp, @logStream, @message | ${l.of} | sort @timestamp desc | limit 50"
    }
  }]

  # A graph fetches each metric of each source, and draws expressions over them. Metric a of source 2 has the id a2, so METRICS("a") is metric a of all
  # sources; z2 tells whether source 2 is a primary. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
  numbers    = range(length(local.sources))
  one_source = length(local.sources) == 1
  primary    = { name = "IsMaster", stat = "Maximum", letter = "z" }

  # Sources after the first repeat all but the last dimension. An entry is itself a list, which flatten would merge.
  fetches = [for g in local.graphs : flatten([
    for m in concat(g.metrics, [for p in [local.primary] : p if !local.one_source && contains(g.metrics[*].draw, "primaries")]) : [
      for n, s in local.sources : {
        entry = concat(
          n == 0 ? concat(["AWS/ElastiCache", m.name], s.dimensions) : ["...", s.dimensions[length(s.dimensions) - 1]],
          [{ stat = m.stat, id = "${m.letter}${n}", visible = false }],
        )
      }
    ]
  ])]

  palette = [local.blue, local.orange, local.green, local.purple, local.brown, "#e377c2"]
  mean    = { of = "AVG", label = "mean", color = local.blue }
  draws = [for g in local.graphs : concat(
    flatten([for m in g.metrics : [for d in {
      node = concat(
        [for n, s in local.sources : {
          of    = "${m.letter}${n}"
          label = "${s.name} ${m.label}"
          color = local.one_source ? m.color : local.palette[n % length(local.palette)]
        } if !local.many],
        [for l in [g.worst, local.mean] : { of = "${l.of}(${m.all})", label = "${l.label} ${m.label}", color = l.color } if local.many],
      )
      primaries = [{
        of    = local.one_source ? "SUM(${m.all})" : "SUM([${join(",", formatlist("${m.letter}%d*z%d", local.numbers, local.numbers))}])"
        label = m.label
        color = m.color
      }]
      sum    = [{ of = "SUM(${m.all})", label = m.label, color = m.color }]
      max    = [{ of = "MAX(${m.all})", label = m.label, color = m.color }]
      min    = [{ of = "MIN(${m.all})", label = m.label, color = m.color }]
      hidden = []
    }[m.draw] : merge(d, { of = "${d.of}${replace(m.factor, "ID", "${m.letter}0")}" })]]),
    [for m in g.more : merge(m, { of = replace(replace(m.of, "A", "SUM(METRICS(\"a\"))"), "B", "SUM(METRICS(\"b\"))") })],
  )]
}
