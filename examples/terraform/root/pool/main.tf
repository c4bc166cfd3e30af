# A pool of nodes and a note, of the resource type that every Terraform and OpenTofu has built in: nothing is downloaded,
# and nothing is made but entries in a state.

variable "nodes" {
  description = "How many nodes the pool has."
  type        = number
}

variable "note" {
  description = "What the next one on call should know."
  type        = string
}

resource "terraform_data" "node" {
  count = var.nodes
  input = "node ${count.index}"
}

resource "terraform_data" "note" {
  input = var.note
}

output "nodes" {
  value = [for node in terraform_data.node : node.output]
}
