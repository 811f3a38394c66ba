// Command operations checks manifests as a Kubernetes API server does when they are created, and
// compose files as Docker Compose does when it loads them.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/rbac"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	rbacvalidation "k8s.io/kubernetes/pkg/apis/rbac/validation"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

var options = validation.PodValidationOptions{}

// valid says what an API server would not accept.
func valid(object runtime.Object) (field.ErrorList, error) {
	switch object := object.(type) {
	case *batch.CronJob:
		return append(batchvalidation.ValidateCronJobCreate(object, options),
			restricted(object.Spec.JobTemplate.Spec.Template)...), nil
	case *batch.Job:
		// The server adds a selector to a job, and to the job of a template it adds one later.
		template := batch.JobTemplateSpec{ObjectMeta: object.ObjectMeta, Spec: object.Spec}
		return append(batchvalidation.ValidateJobTemplateSpec(&template, nil, options),
			restricted(object.Spec.Template)...), nil
	case *apps.Deployment:
		return append(appsvalidation.ValidateDeployment(object, options),
			restricted(object.Spec.Template)...), nil
	case *core.ConfigMap:
		return validation.ValidateConfigMap(object), nil
	case *core.Namespace:
		return validation.ValidateNamespace(object), nil
	case *core.PersistentVolumeClaim:
		return validation.ValidatePersistentVolumeClaim(object,
			validation.PersistentVolumeClaimSpecValidationOptions{}), nil
	case *core.Service:
		return validation.ValidateServiceCreate(object), nil
	case *core.ServiceAccount:
		return validation.ValidateServiceAccount(object), nil
	case *rbac.ClusterRole:
		return rbacvalidation.ValidateClusterRole(object,
			rbacvalidation.ClusterRoleValidationOptions{}), nil
	case *rbac.ClusterRoleBinding:
		return rbacvalidation.ValidateClusterRoleBinding(object), nil
	}
	return nil, fmt.Errorf("%T has no check here", object)
}

// restricted holds a pod to the strictest of the pod security standards.
func restricted(template core.PodTemplateSpec) (found field.ErrorList) {
	var pod v1.PodTemplateSpec
	path := field.NewPath("template")
	if err := corev1.Convert_core_PodTemplateSpec_To_v1_PodTemplateSpec(&template, &pod, nil); err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	level := podsecurity.LevelVersion{
		Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion(),
	}
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			found = append(found, field.Forbidden(path,
				result.ForbiddenReason+": "+result.ForbiddenDetail))
		}
	}
	return found
}

// manifests checks every document of a file; a field that does not exist is an error.
func manifests(text []byte) error {
	codecs := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for count := 0; ; count++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			if count == 0 {
				return errors.New("it is empty")
			}
			return nil
		}
		if err != nil {
			return err
		}
		object, kind, err := codecs.UniversalDecoder().Decode(document, nil, nil)
		if err != nil {
			return err
		}
		found, err := valid(object)
		if err == nil {
			err = found.ToAggregate()
		}
		if err != nil {
			name := "?"
			if accessor, err := meta.Accessor(object); err == nil {
				name = accessor.GetName()
			}
			return fmt.Errorf("%s %s: %w", kind.Kind, name, err)
		}
	}
}

func compose(path string, text []byte) error {
	details := types.ConfigDetails{
		WorkingDir:  filepath.Dir(path),
		ConfigFiles: []types.ConfigFile{{Filename: path, Content: text}},
		Environment: types.Mapping{},
	}
	_, err := loader.LoadWithContext(context.Background(), details, func(options *loader.Options) {
		options.SetProjectName("pullproof", true)
	})
	return err
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if strings.HasPrefix(filepath.Base(path), "compose") {
		return compose(path, text)
	}
	return manifests(text)
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: operations FILE...")
		os.Exit(2)
	}
	failed := false
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
