package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// Rights are those of deploy/kubernetes/rbac.yaml, with the service account and the
// Jobs in one namespace, which is the test's.
type Rights struct {
	Account corev1.ServiceAccount
	Role    rbacv1.Role
	Binding rbacv1.RoleBinding
}

// ReadRights reads a file of a service account, a role and its binding.
func ReadRights(path, namespace string) (Rights, error) {
	var rights Rights
	text, err := os.ReadFile(path)
	if err != nil {
		return rights, err
	}

	for _, document := range strings.Split(string(text), "\n---\n") {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			return rights, err
		}
		into, known := map[string]any{"ServiceAccount": &rights.Account, "Role": &rights.Role, "RoleBinding": &rights.Binding}[kind.Kind]
		if !known {
			return rights, fmt.Errorf("%s has a %q", path, kind.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
			return rights, fmt.Errorf("%s: %w", path, err)
		}
	}

	rights.Account.Namespace = namespace
	rights.Role.Namespace = namespace
	rights.Binding.Namespace = namespace
	for i := range rights.Binding.Subjects {
		rights.Binding.Subjects[i].Namespace = namespace
	}

	return rights, nil
}

// Grant creates what rights are made of, and returns the connection of who has them.
func (c *ControlPlane) Grant(ctx context.Context, rights Rights) (*rest.Config, error) {
	namespace := rights.Role.Namespace
	_, err := c.core.ServiceAccounts(namespace).Create(ctx, &rights.Account, metav1.CreateOptions{})
	_, roleErr := c.rbac.Roles(namespace).Create(ctx, &rights.Role, metav1.CreateOptions{})
	token, tokenErr := c.Token(ctx, namespace, rights.Account.Name)
	if err := errors.Join(err, roleErr, tokenErr); err != nil {
		return nil, err
	}
	connection := c.Bearer(token)
	return connection, c.Bind(ctx, rights, connection)
}

// Bind gives an account its rights, and waits until they count.
func (c *ControlPlane) Bind(ctx context.Context, rights Rights, connection *rest.Config) error {
	_, err := c.rbac.RoleBindings(rights.Binding.Namespace).Create(ctx, &rights.Binding, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return c.untilAllowed(ctx, rights, connection, true)
}

// Unbind takes an account's rights, and waits until they don't count any more.
func (c *ControlPlane) Unbind(ctx context.Context, rights Rights, connection *rest.Config) error {
	err := c.rbac.RoleBindings(rights.Binding.Namespace).Delete(ctx, rights.Binding.Name, metav1.DeleteOptions{})
	if err != nil {
		return err
	}
	return c.untilAllowed(ctx, rights, connection, false)
}

func (c *ControlPlane) untilAllowed(ctx context.Context, rights Rights, connection *rest.Config, want bool) error {
	client, err := rest.HTTPClientFor(connection)
	if err != nil {
		return err
	}

	defer client.CloseIdleConnections()
	core, err := coreclient.NewForConfigAndClient(connection, client)
	if err != nil {
		return err
	}

	return until(ctx, "rights count", func(ctx context.Context) (bool, error) {
		_, err := core.Pods(rights.Role.Namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return (err == nil) == want, ignored(err, apierrors.IsForbidden)
	})
}

// Quota lets a namespace have so many objects of a resource, such as jobs.batch,
// and waits until that counts.
func (c *ControlPlane) Quota(ctx context.Context, namespace, of string, most int64) (lift func() error, err error) {
	const name = "test"
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceName("count/" + of): *resource.NewQuantity(most, resource.DecimalSI)}},
	}
	if _, err := c.core.ResourceQuotas(namespace).Create(ctx, quota, metav1.CreateOptions{}); err != nil {
		return nil, err
	}

	err = until(ctx, "the quota is counted", func(ctx context.Context) (bool, error) {
		quota, err := c.core.ResourceQuotas(namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && len(quota.Status.Hard) > 0, err
	})
	return func() error {
		return c.core.ResourceQuotas(namespace).Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{})
	}, err
}

// Restrict gives a role other rules, none of them for pods, and waits until that counts.
func (c *ControlPlane) Restrict(ctx context.Context, rights Rights, connection *rest.Config) error {
	_, err := c.rbac.Roles(rights.Role.Namespace).Update(ctx, &rights.Role, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	return c.untilAllowed(ctx, rights, connection, false)
}
