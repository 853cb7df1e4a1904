// Command controlplane is a whole Kubernetes control plane in one binary: the first argument says which part runs.
//
//	controlplane etcd [flags of etcd]
//	controlplane kube-apiserver [flags of kube-apiserver]
//	controlplane kube-controller-manager [flags of kube-controller-manager]
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	if len(os.Args) < 2 {
		fail("one of etcd, kube-apiserver, kube-controller-manager must be the first argument")
	}
	part := os.Args[1]
	os.Args = append([]string{part}, os.Args[2:]...)
	switch part {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	default:
		fail(fmt.Sprintf("unknown part %q; accepted: etcd, kube-apiserver, kube-controller-manager", part))
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "controlplane: "+message)
	os.Exit(2)
}
