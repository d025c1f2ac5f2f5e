package manifests

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// The API server takes every object, knows every field, and warns of nothing; and
// it admits the pods that come of it where the pod security standard "restricted"
// is enforced.
func TestAnAPIServerTakesAllOfIt(t *testing.T) {
	a := newApplier(t)
	made := map[string]bool{}
	for _, directory := range builds {
		t.Run(directory, func(t *testing.T) {
			objects := render(t, directory)
			namespace := objects[0].GetNamespace()
			for _, object := range objects {
				if at := object.GetNamespace(); !made[at] {
					a.namespace(t, at)
					made[at] = true
				}
				require.NoError(t, a.apply(t.Context(), object, metav1.DryRunAll), "%s %s", object.GetKind(), object.GetName())
			}
			for name, deployment := range all[appsv1.Deployment](t, objects, "Deployment") {
				account := deployment.Spec.Template.Spec.ServiceAccountName
				for _, object := range objects {
					if object.GetKind() == "ServiceAccount" && object.GetName() == account {
						require.NoError(t, a.apply(t.Context(), object))
					}
				}
				pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
				pod.Name = name
				_, err := a.typed.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				require.NoError(t, err)
			}
			assert.Empty(t, a.said)
		})
	}
}

// A namespace that enforces the standard does refuse a pod that doesn't meet it,
// which is what makes the test above one.
func TestTheStandardIsEnforced(t *testing.T) {
	a := newApplier(t)
	a.namespace(t, "strict")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "any"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "any", Image: "any"}}}}
	automount := false
	pod.Spec.AutomountServiceAccountToken = &automount
	_, err := a.typed.CoreV1().Pods("strict").Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	require.ErrorContains(t, err, `violates PodSecurity "restricted:latest"`)
}

func TestAnOverlaysNamespaceIsEverywhere(t *testing.T) {
	objects := render(t, "deploy/overlays/own-cluster")
	for _, object := range objects {
		if object.GetName() != "modelvigil-retraining" {
			require.Equal(t, "ml-watch", object.GetNamespace(), "%s %s", object.GetKind(), object.GetName())
		}
	}
	for _, deployment := range all[appsv1.Deployment](t, objects, "Deployment") {
		require.Equal(t, "registry.example.com/modelvigil:1.0.0", deployment.Spec.Template.Spec.Containers[0].Image)
	}
}

// Who may create a Job mounts whatever Secret is in its namespace: so a worker makes
// them in another one than that of its own secrets, has its rights there alone, and
// is told of that namespace by every setting that makes Jobs.
func TestJobsAreMadeApartFromTheWorkersSecrets(t *testing.T) {
	for _, directory := range []string{"deploy/kubernetes", "deploy/overlays/own-cluster"} {
		t.Run(directory, func(t *testing.T) {
			objects := render(t, directory)
			worker := all[appsv1.Deployment](t, objects, "Deployment")["modelvigil-worker"]
			settings := environmentOf(t, objects, worker.Spec.Template.Spec.Containers[0])
			roles := all[rbacv1.Role](t, objects, "Role")
			require.Contains(t, roles, "modelvigil-retraining")
			jobs := roles["modelvigil-retraining"].Namespace
			require.Equal(t, worker.Namespace+"-jobs", jobs)
			if settings["MODELOPS_BACKEND"] == "kubernetes" {
				require.Equal(t, jobs, settings["MODELOPS_KUBERNETES_NAMESPACE"])
			}

			for name, role := range roles {
				require.Equal(t, jobs, role.Namespace, name)
			}
			for name, binding := range all[rbacv1.RoleBinding](t, objects, "RoleBinding") {
				require.Equal(t, jobs, binding.Namespace, name)
				require.Contains(t, roles, binding.RoleRef.Name)
				require.Len(t, binding.Subjects, 1)
				require.Equal(t, worker.Namespace, binding.Subjects[0].Namespace, name)
				require.Equal(t, worker.Spec.Template.Spec.ServiceAccountName, binding.Subjects[0].Name)
			}

			backends := map[string]struct{ Kind, Namespace string }{}
			require.NoError(t, yaml.Unmarshal([]byte(filesOf(t, objects, worker)[settings["MODELOPS_BACKENDS_FILE"]]), &backends))
			for name, backend := range backends {
				if backend.Kind == "kubernetes" {
					require.Equal(t, jobs, backend.Namespace, name)
				}
			}
		})
	}
}

// Tokens don't cross the network in the clear where Temporal and serving code share a cluster.
func TestTheGatewaySpeaksTLS(t *testing.T) {
	objects := render(t, "deploy/overlays/own-cluster")
	gateway := all[appsv1.Deployment](t, objects, "Deployment")["modelvigil-gateway"]
	pod := gateway.Spec.Template.Spec
	settings := environmentOf(t, objects, pod.Containers[0])
	mounted := map[string]string{}
	for _, mount := range pod.Containers[0].VolumeMounts {
		mounted[mount.Name] = mount.MountPath
	}

	var secret string
	for _, volume := range pod.Volumes {
		if volume.Secret != nil && mounted[volume.Name] == path.Dir(settings["GATEWAY_TLS_CERT_FILE"]) {
			require.Nil(t, volume.Secret.Optional, "without a certificate no pod starts")
			secret = volume.Secret.SecretName
		}
	}
	require.Equal(t, "modelvigil-gateway-tls", secret)
	require.Equal(t, corev1.TLSCertKey, path.Base(settings["GATEWAY_TLS_CERT_FILE"]))
	require.Equal(t, corev1.TLSPrivateKeyKey, path.Base(settings["GATEWAY_TLS_KEY_FILE"]))
}

// What selects finds what it is for, and ports are there by name.
func TestSelectorsAndPortsFit(t *testing.T) {
	objects := render(t, "deploy/kubernetes")
	deployments := all[appsv1.Deployment](t, objects, "Deployment")
	require.Len(t, deployments, 2)
	matches := func(selector *metav1.LabelSelector) (found []*appsv1.Deployment) {
		compiled, err := metav1.LabelSelectorAsSelector(selector)
		require.NoError(t, err)
		for _, deployment := range deployments {
			if compiled.Matches(labels.Set(deployment.Spec.Template.Labels)) {
				found = append(found, deployment)
			}
		}
		return found
	}
	has := func(deployment *appsv1.Deployment, port intstr.IntOrString) bool {
		for _, p := range deployment.Spec.Template.Spec.Containers[0].Ports {
			if p.Name == port.StrVal {
				return true
			}
		}
		return false
	}
	for name, deployment := range deployments {
		require.Equal(t, []*appsv1.Deployment{deployment}, matches(deployment.Spec.Selector), name)
		require.EqualValues(t, 2, *deployment.Spec.Replicas)
		container := deployment.Spec.Template.Spec.Containers[0]
		require.True(t, has(deployment, container.LivenessProbe.HTTPGet.Port))
		require.True(t, has(deployment, container.ReadinessProbe.HTTPGet.Port))
		budget := all[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget")[name]
		require.NotNil(t, budget, name)
		require.Equal(t, []*appsv1.Deployment{deployment}, matches(budget.Spec.Selector), name)
	}
	for name, service := range all[corev1.Service](t, objects, "Service") {
		found := matches(&metav1.LabelSelector{MatchLabels: service.Spec.Selector})
		require.Len(t, found, 1, name)
		require.True(t, has(found[0], service.Spec.Ports[0].TargetPort))
	}
	policies := all[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy")
	require.Len(t, matches(&policies["modelvigil"].Spec.PodSelector), 2, "the denial is for all of our pods")
	for name, policy := range policies {
		found := matches(&policy.Spec.PodSelector)
		require.NotEmpty(t, found, name)
		for _, rule := range policy.Spec.Ingress {
			for _, deployment := range found {
				require.True(t, has(deployment, *rule.Ports[0].Port), "%s: %s", name, rule.Ports[0].Port)
			}
		}
	}
}

// Pods may take as long to stop as the programs do.
func TestPodsMayStopInTheirOwnTime(t *testing.T) {
	for name, deployment := range all[appsv1.Deployment](t, render(t, "deploy/kubernetes"), "Deployment") {
		needs := int64(25 + 5) // of calls under way or of what was accepted, and of what is left to answer
		if hook := deployment.Spec.Template.Spec.Containers[0].Lifecycle; hook != nil {
			needs += hook.PreStop.Sleep.Seconds
		}
		require.Greater(t, *deployment.Spec.Template.Spec.TerminationGracePeriodSeconds, needs, strings.ToLower(name))
	}
}
