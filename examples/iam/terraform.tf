# The operator's IAM role with its EKS Pod Identity association, and one role for a team, from the policies beside this
# file: put your own accounts, names and paths into those. For IRSA instead, leave out the association and take
# operator-trust-irsa.json.
variable "cluster_name" {
  type = string
}

resource "aws_iam_role" "rolevend" {
  name               = "rolevend"
  assume_role_policy = file("${path.module}/operator-trust-pod-identity.json")
}

resource "aws_iam_role_policy" "rolevend" {
  name   = "assume-roles"
  role   = aws_iam_role.rolevend.id
  policy = file("${path.module}/operator-policy.json")
}

resource "aws_eks_pod_identity_association" "rolevend" {
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
