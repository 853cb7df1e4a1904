# The operator's IAM role, one role for a team, one for image pulls and one of another account, from the policies beside this
# file: put your own accounts, names and paths into those. With cluster_name the operator gets its identity from EKS Pod
# Identity, without it by IRSA.
variable "cluster_name" {
  type    = string
  default = null
}

# The other account. Leave it out with its role where there is none.
provider "aws" {
  alias   = "partner"
  profile = "partner"
}

resource "aws_iam_role" "rolevend" {
  name = "rolevend"
  assume_role_policy = (
    var.cluster_name == null
    ? file("${path.module}/operator-trust-irsa.json")
    : file("${path.module}/operator-trust-pod-identity.json")
  )
}

resource "aws_iam_role_policy" "rolevend" {
  name   = "assume-roles"
  role   = aws_iam_role.rolevend.id
  policy = file("${path.module}/operator-policy.json")
}

resource "aws_eks_pod_identity_association" "rolevend" {
  count           = var.cluster_name == null ? 0 : 1
  cluster_name    = var.cluster_name
  namespace       = "rolevend-system"
  service_account = "rolevend"
  role_arn        = aws_iam_role.rolevend.arn
}

resource "aws_iam_role" "backup" {
  name               = "backup"
  path               = "/team-a/"
  assume_role_policy = file("${path.module}/role-trust.json")
  # A trust policy may name only roles that exist.
  depends_on = [aws_iam_role.rolevend]
}

resource "aws_iam_role" "puller" {
  name               = "puller"
  path               = "/team-a/"
  assume_role_policy = file("${path.module}/role-trust.json")
  depends_on         = [aws_iam_role.rolevend]
}

resource "aws_iam_role_policy" "puller" {
  name   = "pull"
  role   = aws_iam_role.puller.id
  policy = file("${path.module}/puller-policy.json")
}

resource "aws_iam_role" "orders_reader" {
  provider           = aws.partner
  name               = "orders-reader"
  path               = "/shared/"
  assume_role_policy = file("${path.module}/role-trust-cross-account.json")
  depends_on         = [aws_iam_role.rolevend]
}
